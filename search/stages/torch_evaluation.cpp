#include "search/stages/torch_evaluation.h"

#include "supernet/network/evaluation.h"

namespace patchnas {
namespace {

constexpr const char* kRecalibrationStream = "evaluation/recalibration";
constexpr int kRandomSubnets = 2;

double accuracy_of(const TorchContext& context, RunImages& images, Subnet subnet) {
  recalibrate(context, images, subnet, kRecalibrationStream);
  return validation_accuracy(context, images, subnet, context.config().training.evaluation_images);
}

}  // namespace

void recalibrate(const TorchContext& context, RunImages& images, Subnet& subnet,
                 const std::string& stream_name) {
  const Config& config = context.config();
  recalibrate_batch_norm(
      subnet,
      {.training = images.training(),
       .augmenter =
           Augmenter(config.data.normalisation, config.data.augmentation, config.data.crop_ratio),
       .seed = config.seed,
       .stream = stream_name,
       .workers = config.data.workers},
      {.batches = config.recalibration.batches, .batch_size = config.recalibration.batch_size});
}

double validation_accuracy(const TorchContext& context, RunImages& images, const Subnet& subnet,
                           int most_images) {
  return accuracy(subnet, images.some_validation(subnet.network().input.height, most_images),
                  context.config().data.normalisation);
}

double validation_accuracy(RunImages& images, const QuantizedNetwork& network, int most_images) {
  return accuracy(network, images.some_validation(network.network.input.height, most_images));
}

MetricsLog::Values evaluate_supernet(const TorchContext& context, RunImages& images,
                                     const Supernet& supernet, StageId stage) {
  const SearchSpace& space = supernet.space();
  const auto accuracy = [&](const Architecture& architecture) {
    return accuracy_of(context, images, supernet.extract(architecture));
  };
  MetricsLog::Values values{{"accuracy_largest", accuracy(largest(space))}};
  if (stage == StageId::kTrainSupernet) {
    values.emplace_back("accuracy_smallest", accuracy(smallest(space)));
    RandomStream stream(context.config().seed, "evaluation/subnets");
    double sum = 0.0;
    for (int i = 0; i < kRandomSubnets; ++i) {
      sum += accuracy(sample(space, stream));
    }
    values.emplace_back("accuracy_random_mean", sum / kRandomSubnets);
  }
  return values;
}

MetricsLog::Values evaluate_subnet(const TorchContext& context, RunImages& images, Subnet& subnet) {
  if (!context.validates_winner()) {
    return {};
  }
  return {{"accuracy_subnet", accuracy_of(context, images, subnet)}};
}

MetricsLog::Values evaluate_int8(const TorchContext& context, RunImages& images,
                                 const QuantizedNetwork& network) {
  if (!context.validates_winner()) {
    return {};
  }
  return {{"accuracy_int8",
           validation_accuracy(images, network, context.config().training.evaluation_images)}};
}

}  // namespace patchnas
