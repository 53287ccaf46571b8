#include "deploy/quantise/quantise.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "arch/base/error.h"
#include "deploy/quantise/activation_scales.h"
#include "deploy/quantise/fold_batch_norm.h"
#include "deploy/quantise/requantisation.h"

namespace patchnas {
namespace {

constexpr double kStoredMin = -128;
constexpr double kStoredMax = 127;
// Half the range of an accumulator is left to the products.
constexpr double kLargestBias = 0x1p30;
// A channel whose weights are (almost) zero still gets a bias resolution of this many output steps.
// Finer weights would not change its output, and their multiplier could underflow.
constexpr double kFinestStep = 0x1p-20;

// One scale per output channel that resolves the weights and lets the bias fit.
std::vector<float> channel_scales(const FloatLayer& parameters, std::size_t channels,
                                  bool channels_last, double input_scale, double output_scale) {
  const std::size_t per_channel = parameters.weights.size() / channels;
  std::vector<float> scales;
  for (std::size_t c = 0; c < channels; ++c) {
    double largest = 0;
    for (std::size_t i = 0; i < per_channel; ++i) {
      const float weight =
          parameters.weights[channels_last ? i * channels + c : c * per_channel + i];
      largest = std::max(largest, std::abs(double{weight}));
    }
    scales.push_back(static_cast<float>(std::max(
        {largest / kStoredMax, std::abs(double{parameters.bias[c]}) / (input_scale * kLargestBias),
         kFinestStep * output_scale / input_scale})));
  }
  return scales;
}

QuantizedLayer quantise_parameters(const Layer& layer, const FloatLayer& parameters,
                                   double input_scale, double output_scale) {
  const auto channels = static_cast<std::size_t>(layer.output.channels);
  const bool channels_last = layer.kind == LayerKind::kDepthwiseConv2d;
  const std::size_t per_channel = parameters.weights.size() / channels;
  QuantizedLayer result;
  result.weight_scales =
      channel_scales(parameters, channels, channels_last, input_scale, output_scale);
  if (layer.kind == LayerKind::kFullyConnected) {
    const float largest = *std::ranges::max_element(result.weight_scales);
    result.weight_scales.assign(1, largest);
  }
  const auto scale_of = [&](std::size_t channel) {
    return double{result.weight_scales[result.weight_scales.size() == 1 ? 0 : channel]};
  };
  for (std::size_t i = 0; i < parameters.weights.size(); ++i) {
    const double steps = std::round(parameters.weights[i] /
                                    scale_of(channels_last ? i % channels : i / per_channel));
    result.weights.push_back(static_cast<std::int8_t>(std::clamp(steps, -kStoredMax, kStoredMax)));
  }
  for (std::size_t c = 0; c < channels; ++c) {
    const double steps = std::round(parameters.bias[c] / (input_scale * scale_of(c)));
    result.biases.push_back(
        static_cast<std::int32_t>(std::clamp(steps, -kLargestBias, kLargestBias)));
  }
  return result;
}

std::int8_t stored(float value, const TensorQuantisation& q) {
  const double steps = std::round(double{value} / double{q.scale}) + q.zero_point;
  return static_cast<std::int8_t>(std::clamp(steps, kStoredMin, kStoredMax));
}

QuantizedLayer quantise_layer(const Layer& layer, const FloatLayer& own,
                              const TensorQuantisation& input, const TensorQuantisation& output) {
  QuantizedLayer result = layer.has_weights()
                              ? quantise_parameters(layer, own, input.scale, output.scale)
                              : QuantizedLayer{};
  if (has_constant_operand(layer) || layer.has_constant_map) {
    result.constants_quantisation =
        keeps_scale(layer) ? output : constants_quantisation(own.constants);
    for (const float constant : own.constants) {
      result.constants.push_back(stored(constant, result.constants_quantisation));
    }
    result.constants_come_first = own.constants_come_first;
  }
  if (fills(layer)) {
    result.fill = stored(own.fill, output);
  }
  result.leaky_slope = own.leaky_slope;
  result.is_sum = own.is_sum;
  return result;
}

NetworkEnd end_of(EndNumbers numbers, const TensorQuantisation& int8) {
  NetworkEnd end{.numbers = numbers};
  if (numbers == EndNumbers::kUint8) {
    end.uint8 = {int8.scale, int8.zero_point + 128};
  }
  return end;
}

}  // namespace

TensorQuantisation activation_quantisation(const ValueRange& range) {
  const double min = std::min(0.0, double{range.min});
  const double max = std::max(0.0, double{range.max});
  constexpr double kNothing = 1e-6;
  if (max - min < kNothing) {
    return {1.0F / 255.0F, -128};  // a dead tensor: any scale will do
  }
  const auto scale = static_cast<float>((max - min) / (kStoredMax - kStoredMin));
  const double zero_point =
      std::clamp(std::round(kStoredMin - min / scale), kStoredMin, kStoredMax);
  return {scale, static_cast<std::int32_t>(zero_point)};
}

TensorQuantisation pixel_quantisation(const PixelNormalisation& pixels) {
  if (pixels.mean < 0 || pixels.mean > 255 || !(pixels.stddev > 0) ||
      !std::isfinite(pixels.stddev)) {
    throw InputError("pixel normalisation: mean must be in [0, 255] and stddev positive");
  }
  return {static_cast<float>(1.0 / pixels.stddev), pixels.mean - kPixelOffset};
}

QuantizedNetwork quantise(const FloatNetwork& network, const std::vector<ValueRange>& ranges,
                          const QuantisedEnds& ends) {
  const FloatNetwork folded = fold_batch_norm(network);
  if (ranges.size() != static_cast<std::size_t>(folded.network.tensor_count())) {
    throw InputError("quantisation needs one range of values per tensor");
  }
  QuantizedNetwork result{
      .network = folded.network,
      .tensors = activation_scales(
          folded, ranges,
          ends.pixels ? std::optional(pixel_quantisation(*ends.pixels)) : std::nullopt),
      .layers = {}};
  for (std::size_t i = 0; i < folded.layers.size(); ++i) {
    const Layer& layer = folded.network.layers[i];
    const TensorQuantisation& input = result.tensors[static_cast<std::size_t>(layer.inputs[0])];
    result.layers.push_back(quantise_layer(layer, folded.layers[i], input, result.tensors[i + 1]));
  }
  result.input_ends.clear();
  for (int i = 0; i < folded.network.input_count(); ++i) {
    result.input_ends.push_back(end_of(ends.inputs, result.tensors[static_cast<std::size_t>(i)]));
  }
  result.output_ends.clear();
  for (const TensorId output : folded.network.output_tensors()) {
    result.output_ends.push_back(
        end_of(ends.outputs, result.tensors[static_cast<std::size_t>(output)]));
  }
  return derive_arithmetic(std::move(result));
}

}  // namespace patchnas
