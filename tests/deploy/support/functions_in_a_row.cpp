#include "tests/deploy/support/functions_in_a_row.h"

#include <algorithm>

#include "arch/operator_table.h"
#include "deploy/quantise/requantisation.h"
#include "tests/deploy/support/random_quantised.h"

namespace patchnas::testing {

QuantizedNetwork functions_in_a_row(RandomStream& stream, int count) {
  static const std::vector<LayerKind> kinds{
      LayerKind::kLookup,  LayerKind::kLookup,  LayerKind::kAdd,     LayerKind::kSubtract,
      LayerKind::kMaximum, LayerKind::kMinimum, LayerKind::kMaxPool, LayerKind::kMean,
      LayerKind::kPrelu,   LayerKind::kMultiply};
  Network network;
  network.input = {3, 4, 2};
  const auto append = [&](LayerKind kind, int channels) -> Layer& {
    Layer layer;
    layer.kind = kind;
    layer.inputs = {network.layer_count(), kNoTensor};
    layer.output = {3, 4, channels};
    network.layers.push_back(layer);
    return network.layers.back();
  };
  append(LayerKind::kConv2d, 5);
  for (int i = 0; i < count; ++i) {
    Layer& layer = append(stream.pick(kinds), 5);
    layer.function = static_cast<ValueFunction>(stream.below(10));
    if (operator_facts(layer.kind).combines()) {
      layer.has_constant_map = stream.chance(0.3);
      if (stream.chance(0.3)) {
        layer.has_constant_map = false;
        layer.inputs[1] = layer.inputs[0];
      }
    }
  }
  append(LayerKind::kConv2d, 3);
  QuantizedNetwork result = random_quantised(network, stream);
  for (QuantizedLayer& layer : result.layers) {
    if (!layer.constants.empty()) {
      std::fill(layer.constants.begin(), layer.constants.end(), layer.constants.front());
    }
  }
  return derive_arithmetic(std::move(result));
}

}  // namespace patchnas::testing
