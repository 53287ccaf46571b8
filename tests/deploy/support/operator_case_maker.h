#pragma once

// What makers of recorded cases have in common: networks of one layer with random numbers.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "deploy/quantise/requantisation.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/deploy/support/recorded_cases.h"

namespace patchnas::testing {

// How the numbers of a layer with weights are drawn.
struct Numbers {
  int largest_weight = 127;
  // Root mean square of what sums are scaled to, in steps of the output.
  double typical_output = 40;
  // Biases are uniform to so many standard deviations of the sums, or up to `largest_bias`.
  double bias_spread = 0.5;
  std::int64_t largest_bias = 0;
  bool is_per_tensor = false;
  // Of some channels the weight scale is 0, of others negative.
  bool has_odd_scales = false;
  // Of some channels all weights are 0.
  bool has_dead_channels = false;
};

inline std::string size_text(int height, int width) {
  return std::to_string(height) + "x" + std::to_string(width);
}

class OperatorCaseMaker {
 public:
  explicit OperatorCaseMaker(RandomStream stream) : stream_(std::move(stream)) {}
  /// Where the next maker goes on.
  [[nodiscard]] const RandomStream& stream() const { return stream_; }

 protected:
  int between(int low, int high) {
    return low + static_cast<int>(stream_.below(static_cast<std::uint64_t>(high - low + 1)));
  }
  double between(double low, double high) { return low + (high - low) * stream_.uniform(); }

  TensorQuantisation quantisation(double scale, int largest_zero_point = 128) {
    return {static_cast<float>(scale),
            between(-largest_zero_point, std::min(127, largest_zero_point))};
  }

  // A window of `kernel` over all of `input` as TensorFlow Lite's SAME padding places it.
  static Layer same_window(LayerKind kind, const TensorShape& input, int channels, int height,
                           int width, int stride) {
    Layer layer;
    layer.kind = kind;
    const auto axis = [&](int extent, int kernel) {
      const int output = (extent + stride - 1) / stride;
      return std::pair{output, std::max(0, (output - 1) * stride + kernel - extent) / 2};
    };
    const auto [rows, top] = axis(input.height, height);
    const auto [cols, left] = axis(input.width, width);
    layer.output = {rows, cols, channels};
    layer.kernel = {height, width, stride, stride, top, left};
    return layer;
  }

  static Layer valid_window(LayerKind kind, const TensorShape& input, int channels, int height,
                            int width, int stride) {
    Layer layer;
    layer.kind = kind;
    layer.output = {(input.height - height) / stride + 1, (input.width - width) / stride + 1,
                    channels};
    layer.kernel = {height, width, stride, stride, 0, 0};
    return layer;
  }

  void add(std::string name, QuantizedNetwork network) {
    network = derive_arithmetic(std::move(network));
    std::vector<std::int8_t> input = random_bytes(network.network.input.elements(), stream_);
    cases_.push_back({std::move(name), std::move(network), std::move(input)});
  }

  // A network of one layer without weights.
  void add_plain(const std::string& name, const TensorShape& input, const Layer& layer,
                 const TensorQuantisation& in, const TensorQuantisation& out) {
    add(name, {.network = {.input = input, .layers = {layer}, .names = {}},
               .tensors = {in, out},
               .layers = {{}}});
  }

  void add_weighted(const std::string& name, const TensorShape& input, const Layer& layer,
                    const Numbers& numbers) {
    QuantizedNetwork result{
        .network = {.input = input, .layers = {layer}, .names = {}},
        .tensors = {quantisation(between(0.005, 0.05)), quantisation(between(0.01, 0.1))},
        .layers = {}};
    if (layer.activation != Activation::kNone && stream_.chance(0.5)) {
      result.tensors[1].zero_point = -128;
    }
    const auto channels = static_cast<std::size_t>(layer.output.channels);
    QuantizedLayer parameters;
    parameters.weights = random_bytes(weight_count(result.network, 0), stream_);
    for (std::int8_t& weight : parameters.weights) {
      weight = static_cast<std::int8_t>(weight * numbers.largest_weight / 128);
    }
    const std::size_t terms = parameters.weights.size() / channels;
    const double spread =
        std::max(1.0, numbers.largest_weight * 0.58) * 90 * std::sqrt(static_cast<double>(terms));
    const double scale = numbers.typical_output * double{result.tensors[1].scale} /
                         (double{result.tensors[0].scale} * spread);
    for (std::size_t c = 0; c < channels; ++c) {
      const double bias =
          numbers.largest_bias > 0
              ? static_cast<double>(numbers.largest_bias) - std::abs(between(0.0, 1000.0))
              : numbers.bias_spread * spread * stream_.uniform();
      parameters.biases.push_back(static_cast<std::int32_t>(stream_.chance(0.5) ? bias : -bias));
      if (!numbers.is_per_tensor || c == 0) {
        parameters.weight_scales.push_back(static_cast<float>(scale * between(0.3, 2.0)));
      }
      if (numbers.has_odd_scales) {
        parameters.weight_scales[c] *= c % 3 == 0 ? 0.0F : c % 3 == 1 ? -1.0F : 1.0F;
      }
      if (numbers.has_dead_channels && c % 2 == 0) {
        const bool channels_last = layer.kind == LayerKind::kDepthwiseConv2d;
        for (std::size_t i = 0; i < terms; ++i) {
          parameters.weights[channels_last ? i * channels + c : c * terms + i] = 0;
        }
      }
    }
    result.layers.push_back(std::move(parameters));
    add(name, std::move(result));
  }

  // What every operator with weights has to get right, whatever its window.
  void add_extremes(const std::string& kind, const TensorShape& input, const Layer& layer,
                    int terms) {
    constexpr std::int64_t kLargest = std::numeric_limits<std::int32_t>::max();
    const std::int64_t sums = std::int64_t{terms} * 255 * 128;
    add_weighted(
        kind + "_multiplier_above_1", input, layer,
        {.largest_weight = 1, .typical_output = 300.0 * std::sqrt(terms), .bias_spread = 0.05});
    add_weighted(
        kind + "_multiplier_far_above_1", input, layer,
        {.largest_weight = 1, .typical_output = 20000.0 * std::sqrt(terms), .bias_spread = 0.02});
    add_weighted(kind + "_multiplier_below_2_to_minus_31", input, layer, {.typical_output = 1e-6});
    add_weighted(kind + "_multiplier_of_the_least_shift", input, layer,
                 {.typical_output = 90.0 * 73 * std::sqrt(terms) * 0x1p-30,
                  .largest_bias = kLargest - sums});
    add_weighted(kind + "_biases_beyond_2_to_30", input, layer,
                 {.typical_output = 90.0 * 73 * std::sqrt(terms) * 0x1p-25,
                  .largest_bias = kLargest - sums});
    add_weighted(kind + "_one_scale", input, layer, {.is_per_tensor = true});
    add_weighted(kind + "_dead_channels", input, layer, {.has_dead_channels = true});
    if (layer.kind != LayerKind::kFullyConnected) {
      add_weighted(kind + "_scales_of_0_and_below", input, layer, {.has_odd_scales = true});
    }
    Layer clamped = layer;
    clamped.activation = Activation::kRelu;
    add_weighted(kind + "_relu", input, clamped, {});
    clamped.activation = Activation::kRelu6;
    add_weighted(kind + "_relu6", input, clamped, {.typical_output = 80});
  }

  RandomStream stream_;
  std::vector<RecordedCase> cases_;
};

}  // namespace patchnas::testing
