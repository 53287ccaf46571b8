#include "supernet/kernels/quantised_layers.h"

#include <algorithm>
#include <cstdlib>

#include "supernet/kernels/simd.h"

namespace patchnas::kernels {
namespace {

// Where weight (o, i, tap) of LibTorch's [O, I, taps] lies in the int8 network's order.
struct WeightOrder {
  std::size_t channels = 0;  // depthwise [taps, C], else [O, taps, I]
  std::size_t in = 1;
  std::size_t taps = 1;
  bool depthwise = false;

  [[nodiscard]] std::size_t index(std::size_t o, std::size_t i, std::size_t tap) const {
    return depthwise ? tap * channels + o : (o * taps + tap) * in + i;
  }
};

WeightOrder weight_order(const QuantizedNetwork& network, int layer) {
  const Layer& l = network.network.layers[static_cast<std::size_t>(layer)];
  WeightOrder order;
  order.channels = static_cast<std::size_t>(l.output.channels);
  order.depthwise = l.kind == LayerKind::kDepthwiseConv2d;
  order.taps = l.kind == LayerKind::kFullyConnected
                   ? 1
                   : static_cast<std::size_t>(l.kernel.height) * l.kernel.width;
  order.in = network.layers[static_cast<std::size_t>(layer)].weights.size() /
             (order.channels * order.taps);
  return order;
}

float weight_scale(const QuantizedLayer& layer, std::size_t channel) {
  return layer.weight_scales[layer.weight_scales.size() == 1 ? 0 : channel];
}

ChannelRequantisation channel_requantisation(const QuantizedLayer& layer, int padded_channels) {
  const auto size = static_cast<std::size_t>(padded_channels);
  ChannelRequantisation result;
  result.biases = layer.biases;
  result.biases.resize(size, 0);
  for (const Requantisation& r : layer.requantisation) {
    result.multipliers.push_back(r.multiplier);
    result.left_shifts.push_back(std::max(r.shift, 0));
    result.right_shifts.push_back(std::max(-r.shift, 0));
  }
  for (auto* values : {&result.multipliers, &result.left_shifts, &result.right_shifts}) {
    values->resize(size, 0);
  }
  return result;
}

StepTable step_table(const LookupTable& stored, std::int32_t input_zero_point,
                     std::int32_t output_zero_point) {
  StepTable table{.input_zero_point = input_zero_point};
  std::transform(stored.begin(), stored.end(), table.values.begin(),
                 [&](std::int32_t value) { return static_cast<float>(value - output_zero_point); });
  return table;
}

// Gradients go back through the real weights. Packed [out, in], depthwise [c / 8][taps][8].
void scale_backward_weights(const QuantizedLayer& layer, FusedLayer& fused) {
  const std::size_t per_channel =
      fused.backward_weights.size() / static_cast<std::size_t>(fused.out_channels);
  for (std::size_t c = 0; c < layer.biases.size(); ++c) {
    for (std::size_t i = 0; i < per_channel; ++i) {
      const std::size_t depthwise =
          (c / simd::kLanes * per_channel + i) * simd::kLanes + c % simd::kLanes;
      fused.backward_weights[fused.operation == Operation::kDepthwise ? depthwise
                                                                      : c * per_channel + i] *=
          weight_scale(layer, c);
    }
  }
}

}  // namespace

bool exact_in_floats(const QuantizedNetwork& network) {
  constexpr std::int64_t kLargest = std::int64_t{1} << 24;
  for (int i = 0; i < network.network.layer_count(); ++i) {
    const Layer& layer = network.network.layers[static_cast<std::size_t>(i)];
    if (!layer.has_weights()) {
      continue;
    }
    const TensorQuantisation& input = network.tensors[static_cast<std::size_t>(layer.inputs[0])];
    const std::int64_t steps = std::max(127 - input.zero_point, input.zero_point + 128);
    const QuantizedLayer& own = network.layers[static_cast<std::size_t>(i)];
    const WeightOrder order = weight_order(network, i);
    for (std::size_t o = 0; o < order.channels; ++o) {
      std::int64_t sum = 0;
      for (std::size_t in = 0; in < order.in; ++in) {
        for (std::size_t tap = 0; tap < order.taps; ++tap) {
          sum += std::abs(own.weights[order.index(o, in, tap)]);
        }
      }
      if (sum * steps >= kLargest) {
        return false;
      }
    }
  }
  return true;
}

std::vector<FusedLayer> make_fused_layers(const QuantizedNetwork& network) {
  std::vector<std::vector<float>> weights(network.layers.size());
  std::vector<LayerValues> values(network.layers.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] = integer_weights(network, static_cast<int>(i));
    values[i].weight = weights[i];
  }
  std::vector<FusedLayer> result = make_fused_layers(network.network, values);
  for (std::size_t i = 0; i < result.size(); ++i) {
    const Layer& layer = network.network.layers[i];
    const QuantizedLayer& own = network.layers[i];
    const auto tensor = [&](std::size_t input) -> const TensorQuantisation& {
      return network.tensors[static_cast<std::size_t>(layer.inputs[input])];
    };
    const TensorQuantisation& output = network.tensors[i + 1];
    FusedLayer& fused = result[i];
    fused.low = static_cast<float>(own.clamp.min - output.zero_point);
    fused.high = static_cast<float>(own.clamp.max - output.zero_point);
    fused.integers = IntegerArithmetic{
        .requantisation = channel_requantisation(own, fused.out_channels),
        .add = own.add,
        .table = step_table(own.lookup.twice, tensor(0).zero_point, output.zero_point),
        .zero_point = output.zero_point,
        .input_step = tensor(0).scale,
        .second_step = layer.input_count() == 2 ? tensor(1).scale : 1.0F,
        .output_step = output.scale};
    if (layer.has_weights()) {
      scale_backward_weights(own, fused);
    }
  }
  return result;
}

std::vector<float> integer_weights(const QuantizedNetwork& network, int layer) {
  const std::vector<std::int8_t>& stored = network.layers[static_cast<std::size_t>(layer)].weights;
  std::vector<float> result;
  if (stored.empty()) {
    return result;
  }
  result.reserve(stored.size());
  const WeightOrder order = weight_order(network, layer);
  for (std::size_t o = 0; o < order.channels; ++o) {
    for (std::size_t i = 0; i < order.in; ++i) {
      for (std::size_t tap = 0; tap < order.taps; ++tap) {
        result.push_back(stored[order.index(o, i, tap)]);
      }
    }
  }
  return result;
}

}  // namespace patchnas::kernels
