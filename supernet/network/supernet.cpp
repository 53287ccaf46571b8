#include "supernet/network/supernet.h"

#include <torch/torch.h>

#include "supernet/network/channel_sorting.h"
#include "supernet/network/state_bytes.h"

namespace patchnas {
namespace {

constexpr std::string_view kKind = "supernet";

// The leading `extent` entries of an axis of channels.
at::Tensor leading(const at::Tensor& tensor, std::int64_t axis, std::int64_t extent) {
  return tensor.narrow(axis, 0, extent);
}

at::Tensor centre(const at::Tensor& tensor, std::int64_t axis, std::int64_t extent) {
  return tensor.narrow(axis, (tensor.size(axis) - extent) / 2, extent);
}

LayerTensors slice(const Network& network, const Layer& layer, const LayerTensors& shared) {
  const std::int64_t out = layer.output.channels;
  LayerTensors active;
  active.weight = leading(shared.weight, 0, out);
  if (layer.kind != LayerKind::kDepthwiseConv2d) {
    active.weight = leading(active.weight, 1, network.shape(layer.inputs[0]).channels);
  }
  if (layer.kind != LayerKind::kFullyConnected) {
    active.weight = centre(centre(active.weight, 2, layer.kernel.height), 3, layer.kernel.width);
  }
  for (const auto member : {&LayerTensors::bias, &LayerTensors::gamma, &LayerTensors::beta}) {
    if ((shared.*member).defined()) {
      active.*member = leading(shared.*member, 0, out);
    }
  }
  return active;
}

}  // namespace

Supernet::Supernet(SearchSpace space, std::uint64_t seed, c10::Device device)
    : space_(std::move(space)),
      largest_(lower(space_, largest(space_))),
      parameters_(at::zeros({trained_count(largest_)}, at::TensorOptions(device))) {
  RandomStream stream(seed, "supernet/weights");
  initialise(largest_, parameters_, stream);
  for (std::size_t i = 0; i < largest_.layers.size(); ++i) {
    const Layer& layer = largest_.layers[i];
    slots_[{layer.role, layer.stage, layer.block}] = i;
  }
}

std::vector<LayerTensors> Supernet::active(const Network& network, const at::Tensor& flat) const {
  const std::vector<LayerTensors> shared = carve(largest_, flat);
  std::vector<LayerTensors> result;
  for (const Layer& layer : network.layers) {
    result.push_back(
        layer.has_weights()
            ? slice(network, layer, shared[slots_.at({layer.role, layer.stage, layer.block})])
            : LayerTensors{});
  }
  return result;
}

void Supernet::sort_channels() { patchnas::sort_channels(largest_, active(largest_)); }

Subnet Supernet::extract(const Architecture& architecture) const {
  Network network = lower(space_, architecture);
  const std::vector<LayerTensors> layers = active(network);
  return {std::move(network), layers};
}

std::string Supernet::save() const {
  StateWriter writer(kKind, signature(largest_));
  writer.add("parameters", to_floats(parameters_));
  return std::move(writer).finish();
}

void Supernet::load(std::string_view bytes) {
  StateReader reader(bytes, kKind, signature(largest_));
  const std::vector<float> values =
      reader.floats("parameters", static_cast<std::size_t>(parameters_.numel()));
  reader.finish();
  copy_floats(values, parameters_);
}

}  // namespace patchnas
