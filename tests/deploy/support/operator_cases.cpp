// Operators with weights, poolings, means and softmax.

#include <tuple>

#include "tests/deploy/support/element_cases.h"
#include "tests/deploy/support/operator_case_maker.h"

namespace patchnas::testing {
namespace {

class Maker : public OperatorCaseMaker {
 public:
  Maker() : OperatorCaseMaker(RandomStream(90, "operator cases")) {}

  std::vector<RecordedCase> run() {
    convolutions();
    depthwise_convolutions();
    fully_connected();
    additions();
    poolings();
    means();
    softmaxes();
    groups();
    return std::move(cases_);
  }

 private:
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
};

}  // namespace

std::vector<RecordedCase> operator_cases() {
  Maker maker;
  std::vector<RecordedCase> cases = maker.run();
  std::ranges::move(element_cases(maker.stream()), std::back_inserter(cases));
  return cases;
}

}  // namespace patchnas::testing
