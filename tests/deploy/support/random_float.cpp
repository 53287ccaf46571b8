#include "tests/deploy/support/random_float.h"

#include <algorithm>
#include <cmath>

namespace patchnas::testing {
namespace {

std::vector<float> uniform(std::int64_t count, double low, double high, RandomStream& stream) {
  std::vector<float> values(static_cast<std::size_t>(count));
  std::generate(values.begin(), values.end(),
                [&] { return static_cast<float>(low + (high - low) * stream.uniform()); });
  return values;
}

FloatLayer random_weights(const Network& network, int index, RandomStream& stream) {
  FloatLayer layer;
  const std::int64_t channels = bias_count(network, index);
  const double terms =
      static_cast<double>(weight_count(network, index)) / static_cast<double>(channels);
  const double spread = std::sqrt(3.0 / terms);  // unit variance of the sum
  layer.weights = uniform(weight_count(network, index), -spread, spread, stream);
  if (stream.chance(0.5)) {
    layer.bias = uniform(channels, -0.5, 0.5, stream);
  }
  if (stream.chance(0.8)) {
    layer.batch_norm = BatchNorm{.gamma = uniform(channels, 0.5, 1.5, stream),
                                 .beta = uniform(channels, -0.5, 1.0, stream),
                                 .mean = uniform(channels, -0.3, 0.3, stream),
                                 .variance = uniform(channels, 0.3, 1.2, stream)};
  }
  return layer;
}

float real(const TensorQuantisation& q, std::int8_t stored) {
  return q.scale * static_cast<float>(stored - q.zero_point);
}

}  // namespace

FloatNetwork random_float_network(const Network& network, RandomStream& stream) {
  FloatNetwork result{.network = network, .layers = {}};
  for (int index = 0; index < network.layer_count(); ++index) {
    const Layer& layer = network.layers[static_cast<std::size_t>(index)];
    FloatLayer values = layer.has_weights() ? random_weights(network, index, stream) : FloatLayer{};
    if (has_constant_operand(layer) || layer.has_constant_map) {
      values.constants =
          uniform(layer.has_constant_map ? layer.output.elements() : layer.output.channels, -1.5,
                  1.5, stream);
      values.constants_come_first = layer.kind == LayerKind::kSubtract && stream.chance(0.5);
    }
    if (layer.function == ValueFunction::kRsqrt) {  // which ends what goes below 0
      result.network.layers[static_cast<std::size_t>(index)].function = ValueFunction::kAbs;
    }
    if (fills(layer)) {
      values.fill = stream.chance(0.5) ? 0.0F : uniform(1, -2, 2, stream)[0];
    }
    if (layer.kind == LayerKind::kLookup && layer.function == ValueFunction::kLeakyRelu) {
      values.leaky_slope = uniform(1, 0.0, 0.5, stream)[0];
    }
    result.layers.push_back(std::move(values));
  }
  return result;
}

FloatNetwork with_sums(FloatNetwork network) {
  for (std::size_t i = 1; i < network.layers.size(); i += 2) {
    network.layers[i].is_sum = network.network.layers[i].kind == LayerKind::kMean;
  }
  return network;
}

std::vector<float> random_samples(const Network& network, int count, double low, double high,
                                  RandomStream& stream) {
  return uniform(count * network.input_elements(), low, high, stream);
}

FloatNetwork dequantised(const QuantizedNetwork& network) {
  FloatNetwork result{.network = network.network, .layers = {}};
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const QuantizedLayer& from = network.layers[i];
    const Layer& layer = network.network.layers[i];
    const std::size_t channels = from.biases.size();
    const auto scale = [&](std::size_t channel) {
      return from.weight_scales[from.weight_scales.size() == 1 ? 0 : channel];
    };
    FloatLayer to;
    const bool channels_last = layer.kind == LayerKind::kDepthwiseConv2d;
    for (std::size_t w = 0; w < from.weights.size(); ++w) {
      const std::size_t channel =
          channels_last ? w % channels : w / (from.weights.size() / channels);
      to.weights.push_back(static_cast<float>(from.weights[w]) * scale(channel));
    }
    const float input_scale = network.tensors[static_cast<std::size_t>(layer.inputs[0])].scale;
    for (std::size_t c = 0; c < channels; ++c) {
      to.bias.push_back(static_cast<float>(from.biases[c]) * (scale(c) * input_scale));
    }
    for (const std::int8_t constant : from.constants) {
      to.constants.push_back(
          real(fills(layer) ? network.tensors[i + 1] : from.constants_quantisation, constant));
    }
    to.constants_come_first = from.constants_come_first;
    to.is_sum = from.is_sum;
    to.leaky_slope = from.leaky_slope;
    to.fill = fills(layer) ? real(network.tensors[i + 1], from.fill) : 0.0F;
    result.layers.push_back(std::move(to));
  }
  return result;
}

}  // namespace patchnas::testing
