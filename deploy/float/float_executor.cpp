#include "deploy/float/float_executor.h"

#include <algorithm>
#include <string>
#include <utility>

#include "arch/base/error.h"
#include "deploy/float/float_layers.h"
#include "deploy/quantise/fold_batch_norm.h"

namespace patchnas {
namespace {

std::unique_ptr<FloatLayerRun> make_run(const FloatNetwork& network, int index) {
  const Layer& layer = network.network.layers[static_cast<std::size_t>(index)];
  const FloatLayer& own = network.layers[static_cast<std::size_t>(index)];
  switch (layer.kind) {
    case LayerKind::kConv2d:
    case LayerKind::kDepthwiseConv2d:
    case LayerKind::kFullyConnected:
    case LayerKind::kTransposeConv:
      return make_weighted(layer, own, network.network.shape(layer.inputs[0]));
    case LayerKind::kAveragePool:
    case LayerKind::kMaxPool:
    case LayerKind::kMean:
    case LayerKind::kSoftmax:
      return make_pooling(layer, own);
    default:
      return make_elementwise(layer, own);
  }
}

void activate(std::span<float> values, Activation activation) {
  if (activation == Activation::kNone) {
    return;
  }
  const auto [low, high] = activation_limits(activation);
  for (float& value : values) {
    value = std::min(std::max(value, low), high);
  }
}

}  // namespace

FloatExecutor::FloatExecutor(const FloatNetwork& network, BeforeEach before_each)
    : network_(network), before_each_(std::move(before_each)) {
  validate(network.network);
  check_values(network);
  for (int layer = 0; layer < network.network.layer_count(); ++layer) {
    layers_.push_back(make_run(network, layer));
  }
}

FloatExecutor::~FloatExecutor() = default;

FloatTensors FloatExecutor::run(std::span<const float> inputs) const {
  const Network& shapes = network_.network;
  if (static_cast<std::int64_t>(inputs.size()) != shapes.input_elements()) {
    throw InputError("a sample has " + std::to_string(inputs.size()) +
                     " numbers, the network reads " + std::to_string(shapes.input_elements()));
  }
  FloatTensors tensors;
  for (TensorId input = 0; input < shapes.input_count(); ++input) {
    const auto count = static_cast<std::size_t>(shapes.shape(input).elements());
    tensors.emplace_back(inputs.begin(), inputs.begin() + static_cast<std::ptrdiff_t>(count));
    inputs = inputs.subspan(count);
  }
  const auto input = [&](TensorId tensor) {
    return tensor == kNoTensor
               ? FloatInput{}
               : FloatInput{tensors[static_cast<std::size_t>(tensor)], shapes.shape(tensor)};
  };
  for (int index = shapes.input_count() - 1; index < shapes.layer_count(); ++index) {
    const Layer& layer = shapes.layers[static_cast<std::size_t>(index)];
    std::vector<float> output(static_cast<std::size_t>(layer.output.elements()));
    layers_[static_cast<std::size_t>(index)]->run({input(layer.inputs[0]), input(layer.inputs[1])},
                                                  output);
    activate(output, layer.activation);
    tensors.push_back(std::move(output));
  }
  return tensors;
}

int FloatExecutor::sample_count(std::span<const float> samples) const {
  const auto each = static_cast<std::size_t>(network_.network.input_elements());
  if (samples.empty() || samples.size() % each != 0) {
    throw InputError("samples have " + std::to_string(samples.size()) +
                     " numbers together, which must be a multiple of the " + std::to_string(each) +
                     " that the network reads, and more than none");
  }
  return static_cast<int>(samples.size() / each);
}

std::span<const float> FloatExecutor::sample(std::span<const float> samples, int index) const {
  const auto each = static_cast<std::size_t>(network_.network.input_elements());
  return samples.subspan(static_cast<std::size_t>(index) * each, each);
}

FloatTensors run_float_layers(const FloatNetwork& network, std::span<const float> inputs) {
  return FloatExecutor(network).run(inputs);
}

std::vector<float> outputs_of(const Network& network, const FloatTensors& tensors) {
  std::vector<float> outputs;
  for (const TensorId tensor : network.output_tensors()) {
    const std::vector<float>& output = tensors[static_cast<std::size_t>(tensor)];
    outputs.insert(outputs.end(), output.begin(), output.end());
  }
  return outputs;
}

}  // namespace patchnas
