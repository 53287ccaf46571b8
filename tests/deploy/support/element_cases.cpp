#include "tests/deploy/support/element_cases.h"

#include "tests/deploy/support/operator_case_maker.h"

namespace patchnas::testing {
namespace {

class Maker : public OperatorCaseMaker {
 public:
  using OperatorCaseMaker::OperatorCaseMaker;

  std::vector<RecordedCase> run() {
    functions();
    combinations();
    resizes();
    choices();
    maps();
    sums();
    transposed_convolutions();
    further_functions();
    clamped_to_one();
    return std::move(cases_);
  }

 private:
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

  // What an operator of two values makes of numbers in these scales.
  TensorQuantisation result_of(LayerKind kind, double first, double second) {
    const double largest = std::max(first, second);
    switch (kind) {
      case LayerKind::kMultiply:
        return quantisation(first * second * between(10.0, 90.0), 60);
      case LayerKind::kSquaredDifference:
        return quantisation(largest * largest * between(20.0, 200.0), 128);
      case LayerKind::kPrelu:
        return quantisation(first * between(0.5, 1.5), 60);
      default:
        return quantisation(largest * between(0.6, 1.8), 60);
    }
  }

  void add_with_constants(const std::string& name, Layer layer, double first, double second) {
    QuantizedLayer parameters;
    parameters.constants = random_bytes(
        layer.has_constant_map ? layer.output.elements() : layer.output.channels, stream_);
    parameters.constants_quantisation = quantisation(second, 60);
    add(name, {.network = {.input = layer.output, .layers = {layer}, .names = {}},
               .tensors = {quantisation(first, 60), result_of(layer.kind, first, second)},
               .layers = {parameters}});
  }

  // PRELU, maxima, minima and squared differences: of two tensors, and with constants.
  void choices() {
    for (const LayerKind kind : {LayerKind::kPrelu, LayerKind::kMaximum, LayerKind::kMinimum,
                                 LayerKind::kSquaredDifference}) {
      for (const double ratio : {1.0, 0.25, 4.0, 1e-3, 1.0 / 3}) {
        const double scale = between(0.01, 0.1);
        const std::string name = std::string(to_string(kind)) + "_" + std::to_string(ratio);
        Layer layer;
        layer.kind = kind;
        layer.output = {3, 4, 7};
        for (const bool is_map : {false, true}) {
          layer.has_constant_map = is_map;
          add_with_constants((is_map ? "map_" : "constant_") + name, layer, scale, scale * ratio);
        }
        layer.has_constant_map = false;
        Layer other;
        other.kind = LayerKind::kLookup;
        other.output = layer.output;
        layer.inputs = {kImage, 1};
        add("tensors_" + name,
            {.network = {.input = layer.output, .layers = {other, layer}, .names = {}},
             .tensors = {quantisation(scale, 60), quantisation(scale * ratio, 60),
                         result_of(kind, scale, scale * ratio)},
             .layers = {{}, {}}});
      }
    }
  }

  // Constants of a number for each element.
  void maps() {
    for (const LayerKind kind : {LayerKind::kAdd, LayerKind::kSubtract, LayerKind::kMultiply}) {
      for (const Activation activation : {Activation::kNone, Activation::kRelu}) {
        Layer layer;
        layer.kind = kind;
        layer.output = {2, 5, 3};
        layer.activation = activation;
        layer.has_constant_map = true;
        add_with_constants(
            "map_" + std::string(to_string(kind)) + "_" + std::string(to_string(activation)), layer,
            0.03, 0.05);
      }
    }
  }

  void sums() {
    for (const auto& [height, width] : {std::pair{1, 1}, {2, 3}, {7, 7}, {12, 25}}) {
      const TensorShape input{height, width, 9};
      Layer sum = valid_window(LayerKind::kMean, input, 9, height, width, 1);
      sum.kernel.stride_h = height;
      sum.kernel.stride_w = width;
      for (const double ratio : {0.5, 1.0, 7.0}) {
        const double spread = ratio * std::sqrt(height * width);
        QuantizedLayer parameters;
        parameters.is_sum = true;
        add("sum_of_" + size_text(height, width) + "_" + std::to_string(ratio),
            {.network = {.input = input, .layers = {sum}, .names = {}},
             .tensors = {quantisation(0.05, 3), quantisation(0.05 * spread, 30)},
             .layers = {parameters}});
      }
    }
  }

  void further_functions() {
    int number = 0;
    for (const double scale : {1e-4, 0.003, 0.02, 0.11, 0.7, 5.0}) {
      const std::string scaled = std::to_string(number++);
      const TensorQuantisation in = quantisation(scale);
      add_function("abs_" + scaled, ValueFunction::kAbs, in, in);
      // Only positive values have a root.
      add_function("rsqrt_" + scaled, ValueFunction::kRsqrt, {in.scale, -128},
                   quantisation(between(0.005, 0.05) / std::sqrt(scale)));
      for (const double ratio : {0.4, 1.0, 2.7}) {
        const std::string both = scaled + "_to_" + std::to_string(ratio);
        const TensorQuantisation out = quantisation(scale * ratio);
        add_function("abs_" + both, ValueFunction::kAbs, in, out);
        add_function("elu_" + both, ValueFunction::kElu, in, out);
      }
    }
  }

  // From the input to a window's positions, as a convolution from there would be padded.
  static Layer transposed(const Layer& convolution, const TensorShape& output) {
    Layer layer = convolution;
    layer.kind = LayerKind::kTransposeConv;
    layer.output = output;
    return layer;
  }

  void transposed_convolutions() {
    for (const auto& [height, width] : {std::pair{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 3}}) {
      for (const int stride : {1, 2, 3}) {
        for (const bool is_same : {true, false}) {
          const TensorShape output{between(height, 9), between(width, 9), between(1, 5)};
          const int channels = between(1, 9);
          const Layer read =
              is_same ? same_window(LayerKind::kConv2d, output, channels, height, width, stride)
                      : valid_window(LayerKind::kConv2d, output, channels, height, width, stride);
          add_weighted("transposed_" + size_text(height, width) + "_stride_" +
                           std::to_string(stride) + (is_same ? "_same" : "_valid"),
                       read.output, transposed(read, output), {});
        }
      }
    }
    const TensorShape output{7, 6, 5};
    const Layer read = same_window(LayerKind::kConv2d, output, 6, 3, 3, 2);
    add_extremes("transposed", read.output, transposed(read, output), 9 * 6);
  }

  // Everything that has a fused activation function, with RELU_N1_TO_1.
  void clamped_to_one() {
    const TensorShape input{4, 4, 6};
    const auto clamped = [](Layer layer) {
      layer.activation = Activation::kReluN1To1;
      return layer;
    };
    const auto name = [](LayerKind kind) { return std::string(to_string(kind)) + "_relu_n1_to_1"; };
    for (const LayerKind kind : {LayerKind::kConv2d, LayerKind::kDepthwiseConv2d}) {
      add_weighted(name(kind), input, clamped(same_window(kind, input, 6, 3, 3, 1)), {});
    }
    Layer connected = clamped({});
    connected.kind = LayerKind::kFullyConnected;
    connected.output = {1, 1, 10};
    add_weighted(name(connected.kind), input, connected, {.is_per_tensor = true});
    for (const LayerKind kind : {LayerKind::kAveragePool, LayerKind::kMaxPool}) {
      const TensorQuantisation q = quantisation(0.03, 60);
      add_plain(name(kind), input, clamped(same_window(kind, input, 6, 2, 2, 1)), q, q);
    }
    for (const LayerKind kind : {LayerKind::kAdd, LayerKind::kSubtract, LayerKind::kMultiply}) {
      Layer layer = clamped({});
      layer.kind = kind;
      layer.output = input;
      add_with_constants(name(kind), layer, 0.03, 0.02);
    }
  }
};

}  // namespace

std::vector<RecordedCase> element_cases(const RandomStream& stream) { return Maker(stream).run(); }

}  // namespace patchnas::testing
