#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include "arch/kernel_padding.h"
#include "deploy/quantise/requantisation.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/deploy/support/recorded_cases.h"

namespace patchnas::testing {
namespace {

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

std::string size_text(int height, int width) {
  return std::to_string(height) + "x" + std::to_string(width);
}

class Maker {
 public:
  std::vector<RecordedCase> run() {
    convolutions();
    depthwise_convolutions();
    fully_connected();
    additions();
    poolings();
    means();
    softmaxes();
    groups();
    functions();
    combinations();
    resizes();
    return std::move(cases_);
  }

 private:
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

  void convolutions() {
    constexpr auto kKind = LayerKind::kConv2d;
    for (const auto& [height, width] :
         {std::pair{1, 1}, {2, 2}, {3, 3}, {5, 5}, {7, 7}, {1, 7}, {10, 4}, {3, 1}}) {
      for (const int stride : {1, 2, 3}) {
        const TensorShape input{between(3, 11), between(3, 11), between(1, 21)};
        add_weighted("conv_" + size_text(height, width) + "_stride_" + std::to_string(stride),
                     input, same_window(kKind, input, between(1, 5), height, width, stride), {});
      }
    }
    const TensorShape small{2, 3, 5};
    add_weighted("conv_kernel_larger_than_the_image", small, same_window(kKind, small, 7, 9, 9, 1),
                 {});
    const TensorShape deep{1, 1, 1000};
    add_weighted("conv_1000_channels", deep, same_window(kKind, deep, 9, 1, 1, 1), {});
    const TensorShape input{4, 4, 6};
    add_extremes("conv", input, same_window(kKind, input, 6, 3, 3, 2), 9 * 6);
    add_extremes("pointwise", {2, 3, 17}, same_window(kKind, {2, 3, 17}, 9, 1, 1, 1), 17);
  }

  void depthwise_convolutions() {
    constexpr auto kKind = LayerKind::kDepthwiseConv2d;
    for (const auto& [height, width] : {std::pair{1, 1}, {2, 2}, {3, 3}, {5, 5}, {7, 7}, {1, 5}}) {
      for (const int stride : {1, 2}) {
        const TensorShape input{between(3, 9), between(3, 9), between(1, 9)};
        add_weighted("depthwise_" + size_text(height, width) + "_stride_" + std::to_string(stride),
                     input, same_window(kKind, input, input.channels, height, width, stride), {});
      }
    }
    const TensorShape small{2, 2, 9};
    add_weighted("depthwise_kernel_larger_than_the_image", small,
                 same_window(kKind, small, 9, 7, 7, 1), {});
    const TensorShape input{4, 5, 6};
    add_extremes("depthwise", input, same_window(kKind, input, 6, 3, 3, 1), 9);
  }

  void fully_connected() {
    const auto layer = [](int outputs) {
      Layer result;
      result.kind = LayerKind::kFullyConnected;
      result.output = {1, 1, outputs};
      return result;
    };
    for (const int inputs : {1, 3, 16, 33, 250, 1280}) {
      add_weighted("fully_connected_of_" + std::to_string(inputs), {1, 1, inputs},
                   layer(between(1, 20)), {.is_per_tensor = true});
    }
    add_weighted("fully_connected_of_a_map", {3, 5, 7}, layer(10), {.is_per_tensor = true});
    add_extremes("fully_connected", {1, 1, 30}, layer(12), 30);
  }

  // The image and what a depthwise convolution makes of it, in another scale.
  void additions() {
    for (const double ratio : {1.0, 0.25, 4.0, 1e-3, 1e3, 1.0 / 3}) {
      for (const Activation activation :
           {Activation::kNone, Activation::kRelu, Activation::kRelu6}) {
        const TensorShape shape{2, 3, 7};
        Layer copy = same_window(LayerKind::kDepthwiseConv2d, shape, 7, 1, 1, 1);
        Layer sum;
        sum.kind = LayerKind::kAdd;
        sum.inputs = {kImage, 1};
        sum.output = shape;
        sum.activation = activation;
        const double scale = between(0.01, 0.1) * std::min(1.0, 1 / ratio);
        QuantizedLayer weights;
        for (int c = 0; c < shape.channels; ++c) {
          weights.weights.push_back(static_cast<std::int8_t>(between(40, 127)));
          weights.weight_scales.push_back(static_cast<float>(ratio / 100));
          weights.biases.push_back(between(-2000, 2000));
        }
        add("add_scales_1_to_" + std::to_string(ratio) + "_" + std::string(to_string(activation)),
            {.network = {.input = shape, .layers = {copy, sum}, .names = {}},
             .tensors = {quantisation(scale, 60), quantisation(scale * ratio, 60),
                         quantisation(std::max(scale, scale * ratio) * between(0.6, 1.8), 60)},
             .layers = {weights, {}}});
      }
    }
  }

  void poolings() {
    for (const LayerKind kind : {LayerKind::kAveragePool, LayerKind::kMaxPool}) {
      const std::string name(to_string(kind));
      for (const auto& [height, width] :
           {std::pair{1, 1}, {2, 2}, {1, 3}, {3, 3}, {2, 5}, {7, 7}, {9, 9}}) {
        const TensorShape input{between(height, 2 * height + 2), between(width, 2 * width + 2),
                                between(1, 6)};
        const TensorQuantisation q = quantisation(0.1);
        const int stride = between(1, 2);
        add_plain(name + "_same_" + size_text(height, width), input,
                  same_window(kind, input, input.channels, height, width, stride), q, q);
        add_plain(name + "_valid_" + size_text(height, width), input,
                  valid_window(kind, input, input.channels, height, width, stride), q, q);
      }
      const TensorShape input{4, 4, 9};
      Layer clamped = same_window(kind, input, 9, 3, 3, 1);
      for (const Activation activation : {Activation::kRelu, Activation::kRelu6}) {
        clamped.activation = activation;
        const TensorQuantisation q = quantisation(0.06, 40);
        add_plain(name + "_" + std::string(to_string(activation)), input, clamped, q, q);
      }
      const TensorShape large{40, 50, 3};
      const TensorQuantisation q = quantisation(0.1);
      add_plain(name + "_of_2000", large, valid_window(kind, large, 3, 40, 50, 1), q, q);
    }
  }

  void means() {
    const auto layer = [](const TensorShape& input, int height, int width) {
      return valid_window(LayerKind::kMean, input, input.channels, height, width, 1);
    };
    const auto add_mean = [&](const std::string& name, const TensorShape& input, int height,
                              int width, double in_scale, double out_scale) {
      Layer mean = layer(input, height, width);
      mean.kernel.stride_h = height;
      mean.kernel.stride_w = width;
      mean.output = {input.height / height, input.width / width, input.channels};
      const bool keeps_scale = in_scale == out_scale;
      const TensorQuantisation in = quantisation(in_scale, keeps_scale ? 128 : 3);
      const TensorQuantisation out = keeps_scale ? in : quantisation(out_scale, 30);
      add_plain("mean_" + size_text(input.height, input.width) + "_" + name, input, mean, in, out);
    };
    for (const auto& [height, width] : {std::pair{1, 1},
                                        {1, 2},
                                        {1, 3},
                                        {2, 2},
                                        {1, 5},
                                        {2, 3},
                                        {1, 7},
                                        {2, 4},
                                        {3, 3},
                                        {2, 5},
                                        {4, 4},
                                        {5, 5},
                                        {3, 11},
                                        {6, 6},
                                        {7, 7},
                                        {8, 8},
                                        {16, 16},
                                        {12, 25},
                                        {40, 50}}) {
      const TensorShape input{height, width, height * width < 300 ? 32 : 9};
      add_mean("keeps_scale", input, height, width, 0.05, 0.05);
      add_mean("has_another_scale", input, height, width, 0.05,
               0.05 * between(1.0, 3.0) / std::sqrt(height * width));
    }
    add_mean("of_rows", {6, 5, 7}, 6, 1, 0.1, 0.03);
    add_mean("of_columns", {6, 5, 7}, 1, 5, 0.1, 0.03);
    add_mean("to_a_far_finer_scale", {3, 3, 32}, 3, 3, 1.0, 1e-3);
    add_mean("to_a_far_coarser_scale", {3, 3, 32}, 3, 3, 1e-3, 1.0);
    add_mean("to_nothing", {3, 3, 32}, 3, 3, 1e-12, 1.0);
  }

  // Depth multipliers, groups and dilation.
  void groups() {
    for (const auto& [groups, inputs, outputs] :
         {std::tuple{3, 1, 1}, {3, 1, 2}, {4, 1, 8}, {2, 3, 2}, {5, 2, 3}, {1, 4, 5}}) {
      for (const int dilation : {1, 2, 3}) {
        if (groups == 1 && dilation == 1) {
          continue;
        }
        const int kernel = between(2, 3);
        const int span = (kernel - 1) * dilation + 1;
        const TensorShape input{span + between(0, 3), span + between(0, 3), groups * inputs};
        for (const bool is_same : {false, true}) {
          Layer layer =
              is_same ? same_window(LayerKind::kConv2d, input, groups * outputs, span, span, 1)
                      : valid_window(LayerKind::kConv2d, input, groups * outputs, span, span, 1);
          layer.groups = groups;
          layer.kernel.height = layer.kernel.width = kernel;
          layer.kernel.dilation_h = layer.kernel.dilation_w = dilation;
          add_weighted("groups_" + std::to_string(groups) + "_of_" + std::to_string(inputs) +
                           "_to_" + std::to_string(outputs) + "_dilation_" +
                           std::to_string(dilation) + (is_same ? "_same" : "_valid"),
                       input, layer, {});
        }
      }
    }
  }

  // Of all values that a tensor may have.
  void add_function(const std::string& name, ValueFunction function, const TensorQuantisation& in,
                    const TensorQuantisation& out, float slope = 0.0F) {
    Layer layer;
    layer.kind = LayerKind::kLookup;
    layer.function = function;
    layer.output = {16, 16, 1};
    QuantizedLayer parameters;
    parameters.leaky_slope = slope;
    QuantizedNetwork network =
        derive_arithmetic({.network = {.input = layer.output, .layers = {layer}, .names = {}},
                           .tensors = {in, out},
                           .layers = {parameters}});
    std::vector<std::int8_t> input;
    for (int value = -128; value <= 127; ++value) {
      input.push_back(static_cast<std::int8_t>(value));
    }
    cases_.push_back({"function_" + name, std::move(network), std::move(input)});
  }

  void functions() {
    int number = 0;
    for (const double scale : {1e-4, 0.003, 0.02, 0.0625, 0.11, 0.7, 5.0, 300.0}) {
      const std::string scaled = std::to_string(number++);
      const TensorQuantisation in = quantisation(scale);
      add_function("logistic_" + scaled, ValueFunction::kLogistic, in, kSoftmaxOutput);
      add_function("tanh_" + scaled, ValueFunction::kTanh, in, {1.0F / 128.0F, 0});
      add_function("relu6_" + scaled, ValueFunction::kRelu6, in, in);
      for (const double ratio : {0.4, 2.7}) {
        const std::string both = scaled + "_to_" + std::to_string(ratio);
        const TensorQuantisation out = quantisation(scale * ratio);
        add_function("relu_" + both, ValueFunction::kRelu, in, out);
        add_function("requantise_" + both, ValueFunction::kRequantise, in, out);
        for (const double slope : {0.01, 1.7, -0.2}) {
          add_function("leaky_relu_" + both + "_slope_" + std::to_string(slope),
                       ValueFunction::kLeakyRelu, in, out, static_cast<float>(slope));
        }
        add_function("hard_swish_" + both, ValueFunction::kHardSwish, in, out);
      }
    }
  }

  // Sums, differences and products: of two tensors, and with a constant on either side.
  void combinations() {
    for (const LayerKind kind : {LayerKind::kAdd, LayerKind::kSubtract, LayerKind::kMultiply}) {
      for (const double ratio : {1.0, 0.25, 4.0, 1e-3, 1.0 / 3}) {
        for (const Activation activation :
             {Activation::kNone, Activation::kRelu, Activation::kRelu6}) {
          const TensorShape shape{3, 4, 7};
          const double scale = between(0.01, 0.1);
          const TensorQuantisation first = quantisation(scale, 60);
          const TensorQuantisation second = quantisation(scale * ratio, 60);
          const TensorQuantisation out = quantisation(
              kind == LayerKind::kMultiply ? scale * scale * ratio * between(10.0, 90.0)
                                           : std::max(scale, scale * ratio) * between(0.6, 1.8),
              60);
          const std::string name = std::string(to_string(kind)) + "_" + std::to_string(ratio) +
                                   "_" + std::string(to_string(activation));
          Layer layer;
          layer.kind = kind;
          layer.output = shape;
          layer.activation = activation;
          for (const bool first_is_constant : {false, true}) {
            QuantizedLayer parameters;
            parameters.constants = random_bytes(shape.channels, stream_);
            parameters.constants_quantisation = second;
            parameters.constants_come_first = kind == LayerKind::kSubtract && first_is_constant;
            add("constant_" + name + (first_is_constant ? "_first" : ""),
                {.network = {.input = shape, .layers = {layer}, .names = {}},
                 .tensors = {first, out},
                 .layers = {parameters}});
          }
          if (kind == LayerKind::kAdd) {
            continue;
          }
          Layer other;
          other.kind = LayerKind::kLookup;
          other.output = shape;
          layer.inputs = {kImage, 1};
          add("tensors_" + name,
              {.network = {.input = shape, .layers = {other, layer}, .names = {}},
               .tensors = {first, second, out},
               .layers = {{}, {}}});
        }
      }
    }
  }

  void resizes() {
    for (const auto& [height, width] : {std::pair{1, 1}, {1, 7}, {5, 3}, {8, 8}}) {
      for (const auto& [rows, cols] : {std::pair{1, 1},
                                       {2 * height, 2 * width},
                                       {3 * height, width},
                                       {height + 1, 4},
                                       {7, 9}}) {
        for (const bool is_bilinear : {false, true}) {
          for (const auto& [corners, half] :
               {std::pair{false, false}, {true, false}, {false, true}}) {
            Layer layer;
            layer.kind = LayerKind::kResize;
            layer.output = {rows, cols, 3};
            layer.resizing = {is_bilinear, corners, half};
            const TensorQuantisation q = quantisation(0.05);
            add_plain(std::string("resize_") + (is_bilinear ? "bilinear_" : "nearest_") +
                          size_text(height, width) + "_to_" + size_text(rows, cols) +
                          (corners ? "_corners"
                           : half  ? "_half"
                                   : ""),
                      {height, width, 3}, layer, q, q);
          }
        }
      }
    }
  }

  void softmaxes() {
    for (const double scale : {1e-3, 0.02, 0.1, 0.5, 3.0, 60.0}) {
      for (const int channels : {2, 10, 129}) {
        const TensorShape shape{1, channels > 10 ? 1 : 2, channels};
        Layer layer;
        layer.kind = LayerKind::kSoftmax;
        layer.output = shape;
        add_plain("softmax_of_" + std::to_string(channels) + "_scale_" + std::to_string(scale),
                  shape, layer, quantisation(scale), kSoftmaxOutput);
      }
    }
  }

  RandomStream stream_{90, "operator cases"};
  std::vector<RecordedCase> cases_;
};

}  // namespace

std::vector<RecordedCase> operator_cases() { return Maker().run(); }

}  // namespace patchnas::testing
