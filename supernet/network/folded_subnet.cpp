#include "supernet/network/folded_subnet.h"

#include <torch/torch.h>

#include "arch/base/error.h"
#include "supernet/network/state_bytes.h"

namespace patchnas {
namespace {

constexpr std::string_view kKind = "folded subnet";

}  // namespace

FoldedSubnet::FoldedSubnet(Network network, c10::Device device)
    : network_(std::move(network)),
      parameters_(
          at::zeros({trained_count(network_, TrainedForm::kFolded)}, at::TensorOptions(device))),
      layers_(carve(network_, parameters_, TrainedForm::kFolded)),
      ranges_(static_cast<std::size_t>(network_.tensor_count())) {}

FoldedSubnet::FoldedSubnet(const FloatNetwork& folded, std::vector<ValueRange> ranges,
                           c10::Device device)
    : FoldedSubnet(folded.network, device) {
  if (ranges.size() != ranges_.size() || folded.layers.size() != layers_.size()) {
    throw InputError("a folded subnet needs one range per tensor and one entry per layer");
  }
  ranges_ = std::move(ranges);
  const at::NoGradGuard no_gradients;
  for (int i = 0; i < network_.layer_count(); ++i) {
    const LayerTensors& to = layers_[static_cast<std::size_t>(i)];
    const FloatLayer& from = folded.layers[static_cast<std::size_t>(i)];
    if (!to.weight.defined()) {
      continue;
    }
    if (from.batch_norm || static_cast<std::int64_t>(from.bias.size()) != to.bias.numel() ||
        static_cast<std::int64_t>(from.weights.size()) != to.weight.numel()) {
      throw InputError("layer " + std::to_string(i) + " (" + network_.layer_name(i) +
                       "): needs the weights of its shape, one bias per output channel and no "
                       "batch norm");
    }
    to.weight.copy_(weight_tensor(network_, i, from.weights));
    copy_floats(from.bias, to.bias);
  }
}

FloatNetwork FoldedSubnet::to_float_network() const {
  return patchnas::to_float_network(network_, layers_);
}

std::string FoldedSubnet::save() const {
  std::vector<float> ends;
  for (const ValueRange& range : ranges_) {
    ends.insert(ends.end(), {range.min, range.max});
  }
  StateWriter writer(kKind, signature(network_));
  writer.add("parameters", to_floats(parameters_));
  writer.add("ranges", ends);
  return std::move(writer).finish();
}

void FoldedSubnet::load(std::string_view bytes) {
  StateReader reader(bytes, kKind, signature(network_));
  const std::vector<float> parameters =
      reader.floats("parameters", static_cast<std::size_t>(parameters_.numel()));
  const std::vector<float> ends = reader.floats("ranges", 2 * ranges_.size());
  reader.finish();
  copy_floats(parameters, parameters_);
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    ranges_[i] = {ends[2 * i], ends[2 * i + 1]};
  }
}

}  // namespace patchnas
