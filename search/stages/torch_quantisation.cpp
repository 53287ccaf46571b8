#include "search/stages/torch_quantisation.h"

#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "deploy/quantise/calibration.h"
#include "deploy/quantise/fold_batch_norm.h"
#include "deploy/quantise/quantise.h"
#include "search/base/files.h"
#include "search/stages/torch_evaluation.h"
#include "search/stages/torch_training_loop.h"

namespace patchnas {
namespace {

constexpr std::string_view kWeightsName = "quantised";

Quantiser quantiser(const Config& config) {
  return [pixels = config.data.normalisation](const FloatNetwork& network,
                                              const std::vector<ValueRange>& ranges) {
    return quantise(network, ranges, {.pixels = pixels});
  };
}

}  // namespace

FoldedSubnet calibrate(const TorchContext& context, RunImages& images, const Subnet& subnet) {
  const Config& config = context.config();
  const std::vector<ValueHistogram> histograms = subnet.observe_histograms(
      images.calibration(subnet.network().input.height), config.data.normalisation);
  std::vector<ValueRange> ranges;
  for (const ValueHistogram& histogram : histograms) {
    ranges.push_back(calibrated_range(histogram, config.calibration.rule));
  }
  return {fold_batch_norm(subnet.to_float_network()), std::move(ranges), context.device};
}

FoldedSubnet train_quantised(const TorchContext& context, RunImages& images,
                             FoldedSubnet calibrated) {
  const Config& config = context.config();
  const std::optional<Checkpoint> checkpoint = restorable(context, StageId::kQuantise);
  Trainer trainer(quantised_recipe(calibrated, quantiser(config)), images.finetuning(),
                  trainer_config(config, StageId::kQuantise), &context.group);
  train_to_end(trainer, checkpoint, StageId::kQuantise, context,
               [&] { return evaluate_int8(context, images, to_int8(config, calibrated)); });
  if (context.run.writes()) {
    write_file(context.run.quantised_weights_file(),
               encode_checkpoint(kWeightsName, {trainer.step(), calibrated.save()}));
  }
  return calibrated;
}

FoldedSubnet read_quantised(const TorchContext& context, const Architecture& architecture) {
  const std::filesystem::path file = context.run.quantised_weights_file();
  FoldedSubnet subnet(lower(context.config().space, architecture), context.device);
  load_weights(read_shared(context, file), kWeightsName, file.string(), subnet);
  return subnet;
}

QuantizedNetwork to_int8(const Config& config, const FoldedSubnet& subnet) {
  return quantiser(config)(subnet.to_float_network(), subnet.ranges());
}

}  // namespace patchnas
