#include "deploy/tflite/tflite_export.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "arch/base/error.h"
#include "arch/kernel_padding.h"
#include "deploy/reference/end_numbers.h"
#include "tflite_generated.h"

namespace patchnas {
namespace {

using flatbuffers::Offset;
using tflite::BuiltinOperator;

// Versions that introduced int8 (and per-channel weights); the first TensorFlow release that has
// them all.
constexpr const char* kMinRuntimeVersion = "1.14.0";
int operator_version(BuiltinOperator code) {
  switch (code) {
    case BuiltinOperator::CONV_2D:
    case BuiltinOperator::DEPTHWISE_CONV_2D:
      return 3;
    case BuiltinOperator::FULLY_CONNECTED:
      return 4;
    case BuiltinOperator::HARD_SWISH:
      return 1;
    default:
      // ADD, AVERAGE_POOL_2D, MAX_POOL_2D, MEAN, SOFTMAX, PAD, PADV2, QUANTIZE, DEQUANTIZE
      return 2;
  }
}

class Exporter {
 public:
  explicit Exporter(const QuantizedNetwork& network)
      : network_(network), shapes_(network.network) {}

  std::vector<std::uint8_t> run() {
    buffers_.push_back(
        tflite::CreateBuffer(builder_));  // by convention the first is empty: "no data"
    for (TensorId tensor = 0; tensor < shapes_.tensor_count(); ++tensor) {
      add_activation(tensor);
    }
    if (shapes_.input_count() > 1 || !shapes_.outputs.empty()) {
      throw InputError("networks of several inputs or outputs cannot be written as .tflite");
    }
    input_ = add_input_end();
    for (int layer = 0; layer < shapes_.layer_count(); ++layer) {
      add_layer(layer);
    }
    output_ = add_output_end();
    finish();
    return {builder_.GetBufferPointer(), builder_.GetBufferPointer() + builder_.GetSize()};
  }

 private:
  [[nodiscard]] const Layer& layer_at(int layer) const {
    return shapes_.layers[static_cast<std::size_t>(layer)];
  }
  [[nodiscard]] const TensorQuantisation& quantisation(TensorId tensor) const {
    return network_.tensors[static_cast<std::size_t>(tensor)];
  }

  [[noreturn]] void fail(int layer, const std::string& what) const {
    throw InputError("layer " + std::to_string(layer) + " (" + shapes_.layer_name(layer) +
                     "): " + what);
  }

  // Activations come first in the file, so a tensor of ours has the same number there.
  void add_activation(TensorId tensor) {
    const bool from_flat =
        tensor != kImage && (layer_at(tensor - 1).kind == LayerKind::kFullyConnected ||
                             flat_[static_cast<std::size_t>(layer_at(tensor - 1).inputs[0])]);
    flat_.push_back(from_flat);
    const TensorQuantisation& q = quantisation(tensor);
    add_tensor(tensor_name(tensor), dimensions(tensor), tflite::TensorType::INT8, 0, {q.scale},
               {q.zero_point}, 0);
  }

  [[nodiscard]] std::string tensor_name(TensorId tensor) const {
    return tensor == kImage ? "image" : shapes_.layer_name(tensor - 1);
  }

  [[nodiscard]] std::vector<std::int32_t> dimensions(TensorId tensor) const {
    const TensorShape& shape = shapes_.shape(tensor);
    if (flat_[static_cast<std::size_t>(tensor)]) {
      return {1, shape.channels};
    }
    return {1, shape.height, shape.width, shape.channels};
  }

  // From the tensor that the file's user writes to the image; returns the former.
  int add_input_end() {
    const NetworkEnd& end = network_.input_ends[0];
    const int given = end.restated ? add_restated(kImage, *end.restated) : kImage;
    int outer = given;
    if (end.numbers != EndNumbers::kInt8) {
      outer = add_outer(kImage, end);
      add_conversion(BuiltinOperator::QUANTIZE, outer, given);
    }
    if (given != kImage) {
      add_reshape(given, kImage, kImage);
    }
    return outer;
  }

  // From the network's output to the tensor that the file's user reads; returns the latter.
  int add_output_end() {
    const NetworkEnd& end = network_.output_ends[0];
    const TensorId output = shapes_.layer_count();
    int outer = output;
    if (end.restated) {
      outer = add_restated(output, *end.restated);
      add_reshape(output, outer, output);
    }
    if (end.numbers != EndNumbers::kInt8) {
      const int given = outer;
      outer = add_outer(output, end);
      add_conversion(end.numbers == EndNumbers::kFloat32 ? BuiltinOperator::DEQUANTIZE
                                                         : BuiltinOperator::QUANTIZE,
                     given, outer);
    }
    return outer;
  }

  void add_conversion(BuiltinOperator code, int from, int to) {
    add_operator(code, {from}, to, tflite::BuiltinOptions::NONE, 0);
  }

  // Keeps the dimensions, which are those of `tensor`.
  void add_reshape(int from, int to, TensorId tensor) {
    const auto shape = builder_.CreateVector(dimensions(tensor));
    add_operator(BuiltinOperator::RESHAPE, {from}, to, tflite::BuiltinOptions::ReshapeOptions,
                 tflite::CreateReshapeOptions(builder_, shape).Union());
  }

  // `tensor` with another scale and zero point.
  int add_restated(TensorId tensor, const TensorQuantisation& q) {
    return add_tensor(tensor_name(tensor) + "/restated", dimensions(tensor),
                      tflite::TensorType::INT8, 0, {q.scale}, {q.zero_point}, 0);
  }

  // `tensor` in the numbers of the file's user.
  int add_outer(TensorId tensor, const NetworkEnd& end) {
    const std::string name = tensor_name(tensor) + "/" + std::string(to_string(end.numbers));
    if (end.numbers == EndNumbers::kFloat32) {
      return add_tensor(name, dimensions(tensor), tflite::TensorType::FLOAT32, 0, {}, {}, 0);
    }
    return add_tensor(name, dimensions(tensor), tflite::TensorType::UINT8, 0, {end.uint8.scale},
                      {end.uint8.zero_point}, 0);
  }

  int add_tensor(const std::string& name, const std::vector<std::int32_t>& dimensions,
                 tflite::TensorType type, std::uint32_t buffer, const std::vector<float>& scales,
                 const std::vector<std::int64_t>& zero_points, int quantised_dimension) {
    Offset<tflite::QuantizationParameters> quantization;
    if (!scales.empty()) {
      const auto scale = builder_.CreateVector(scales);
      const auto zero_point = builder_.CreateVector(zero_points);
      tflite::QuantizationParametersBuilder parameters(builder_);
      parameters.add_scale(scale);
      parameters.add_zero_point(zero_point);
      parameters.add_quantized_dimension(quantised_dimension);
      quantization = parameters.Finish();
    }
    const auto shape = builder_.CreateVector(dimensions);
    const auto text = builder_.CreateString(name);
    tflite::TensorBuilder tensor(builder_);
    tensor.add_shape(shape);
    tensor.add_type(type);
    tensor.add_buffer(buffer);
    tensor.add_name(text);
    tensor.add_quantization(quantization);
    tensors_.push_back(tensor.Finish());
    return static_cast<int>(tensors_.size()) - 1;
  }

  template <typename T>
  std::uint32_t add_buffer(const std::vector<T>& values) {
    const std::size_t bytes = values.size() * sizeof(T);
    builder_.ForceVectorAlignment(bytes, 1, 16);
    const auto data =
        builder_.CreateVector(reinterpret_cast<const std::uint8_t*>(values.data()), bytes);
    buffers_.push_back(tflite::CreateBuffer(builder_, data));
    return static_cast<std::uint32_t>(buffers_.size()) - 1;
  }

  // Inputs of an operator with weights: the activation, the weights and the bias.
  std::vector<std::int32_t> weighted_inputs(int layer, TensorId input,
                                            const std::vector<std::int32_t>& dimensions) {
    const QuantizedLayer& q = network_.layers[static_cast<std::size_t>(layer)];
    const std::string name = shapes_.layer_name(layer);
    const std::vector<std::int64_t> zero_points(q.weight_scales.size(), 0);
    const int channel_axis = layer_at(layer).kind == LayerKind::kDepthwiseConv2d ? 3 : 0;
    const int weights =
        add_tensor(name + "/weights", dimensions, tflite::TensorType::INT8, add_buffer(q.weights),
                   q.weight_scales, zero_points, channel_axis);
    std::vector<float> bias_scales = q.weight_scales;
    for (float& scale : bias_scales) {
      scale *= quantisation(layer_at(layer).inputs[0]).scale;
    }
    const int bias =
        add_tensor(name + "/bias", {static_cast<std::int32_t>(q.biases.size())},
                   tflite::TensorType::INT32, add_buffer(q.biases), bias_scales, zero_points, 0);
    return {input, weights, bias};
  }

  void add_operator(BuiltinOperator code, const std::vector<std::int32_t>& inputs,
                    std::int32_t output, tflite::BuiltinOptions type, Offset<void> options) {
    const auto [entry, added] =
        codes_.try_emplace(code, static_cast<std::uint32_t>(code_order_.size()));
    if (added) {
      code_order_.push_back(code);
    }
    const auto in = builder_.CreateVector(inputs);
    const auto out = builder_.CreateVector(std::vector<std::int32_t>{output});
    operators_.push_back(tflite::CreateOperator(builder_, entry->second, in, out, type, options));
  }

  static tflite::ActivationFunctionType activation_function(Activation activation) {
    switch (activation) {
      case Activation::kNone:
        return tflite::ActivationFunctionType::NONE;
      case Activation::kRelu:
        return tflite::ActivationFunctionType::RELU;
      case Activation::kRelu6:
        return tflite::ActivationFunctionType::RELU6;
    }
    return tflite::ActivationFunctionType::NONE;
  }

  void add_layer(int index) {
    switch (layer_at(index).kind) {
      case LayerKind::kConv2d:
      case LayerKind::kDepthwiseConv2d:
        return add_convolution(index);
      case LayerKind::kAveragePool:
      case LayerKind::kMaxPool:
        return add_pool(index);
      case LayerKind::kAdd:
        return add_add(index);
      case LayerKind::kFullyConnected:
        return add_fully_connected(
            index, static_cast<std::int32_t>(shapes_.shape(layer_at(index).inputs[0]).elements()));
      case LayerKind::kSoftmax:
        return add_operator(BuiltinOperator::SOFTMAX, {layer_at(index).inputs[0]}, index + 1,
                            tflite::BuiltinOptions::SoftmaxOptions,
                            tflite::CreateSoftmaxOptions(builder_, 1.0F).Union());
      case LayerKind::kMean:
        return add_mean(index);
      case LayerKind::kSubtract:
      case LayerKind::kMultiply:
        return add_add(index);
      case LayerKind::kLookup:
        return add_function(index);
      case LayerKind::kResize:
        return add_resize(index);
      case LayerKind::kCopyChannels:
      case LayerKind::kCopy:
      case LayerKind::kInput:
        return fail(index, "copies what other operators compute, which cannot be written");
    }
  }

  [[nodiscard]] WindowPadding padding(int index) const {
    const Layer& layer = layer_at(index);
    if (flat_[static_cast<std::size_t>(layer.inputs[0])]) {
      fail(index, "a window over the output of a fully connected layer cannot be written");
    }
    const std::optional<WindowPadding> found =
        kernel_padding(shapes_.shape(layer.inputs[0]), layer);
    if (!found) {
      fail(index, layer.has_weights()
                      ? "its padding is neither SAME nor VALID, and it has no PAD operator"
                      : "a pooling padded otherwise than SAME or VALID cannot be written");
    }
    return *found;
  }

  [[nodiscard]] static tflite::Padding implicit_padding(const WindowPadding& padding) {
    return padding.implicit == ImplicitPadding::kSame ? tflite::Padding::SAME
                                                      : tflite::Padding::VALID;
  }

  // A PAD operator in front of `index`; returns the padded tensor. That of a maximum pooling must
  // not win: it pads with the least value.
  std::int32_t add_pad(int index, const WindowPadding& padding) {
    const TensorId input = layer_at(index).inputs[0];
    const PadOperator& padded_to = layer_at(index).pad_operator;
    const TensorQuantisation& q = quantisation(input);
    const std::string name = shapes_.layer_name(index) + "/pad";
    const std::vector<std::int32_t> amounts{
        0, 0, padding.top, padding.bottom, padding.left, padding.right, 0, 0};
    const int paddings = add_tensor(name + "/paddings", {4, 2}, tflite::TensorType::INT32,
                                    add_buffer(amounts), {}, {}, 0);
    const int padded =
        add_tensor(name, {1, padded_to.height, padded_to.width, shapes_.shape(input).channels},
                   tflite::TensorType::INT8, 0, {q.scale}, {q.zero_point}, 0);
    if (layer_at(index).kind == LayerKind::kMaxPool) {
      const int least =
          add_tensor(name + "/value", {}, tflite::TensorType::INT8,
                     add_buffer(std::vector<std::int8_t>{-128}), {q.scale}, {q.zero_point}, 0);
      add_operator(BuiltinOperator::PADV2, {input, paddings, least}, padded,
                   tflite::BuiltinOptions::NONE, 0);
    } else {
      add_operator(BuiltinOperator::PAD, {input, paddings}, padded,
                   tflite::BuiltinOptions::PadOptions, tflite::CreatePadOptions(builder_).Union());
    }
    return padded;
  }

  void add_convolution(int index) {
    const Layer& layer = layer_at(index);
    const Kernel& k = layer.kernel;
    const WindowPadding window = padding(index);
    const std::int32_t input =
        layer.pad_operator.is_present() ? add_pad(index, window) : layer.inputs[0];
    const tflite::Padding implicit = implicit_padding(window);
    const auto activation = activation_function(layer.activation);
    if (layer.kind == LayerKind::kDepthwiseConv2d) {
      const auto inputs =
          weighted_inputs(index, input, {1, k.height, k.width, layer.output.channels});
      const auto options = tflite::CreateDepthwiseConv2DOptions(builder_, implicit, k.stride_w,
                                                                k.stride_h, 1, activation);
      add_operator(BuiltinOperator::DEPTHWISE_CONV_2D, inputs, index + 1,
                   tflite::BuiltinOptions::DepthwiseConv2DOptions, options.Union());
    } else if (network_.layers[static_cast<std::size_t>(index)].convolution_operator ==
               ConvolutionOperator::kFullyConnected) {
      add_fully_connected(index, shapes_.shape(layer.inputs[0]).channels);
    } else {
      const int in_channels = shapes_.shape(layer.inputs[0]).channels / layer.groups;
      const auto inputs =
          weighted_inputs(index, input, {layer.output.channels, k.height, k.width, in_channels});
      const auto options = tflite::CreateConv2DOptions(builder_, implicit, k.stride_w, k.stride_h,
                                                       activation, k.dilation_w, k.dilation_h);
      add_operator(BuiltinOperator::CONV_2D, inputs, index + 1,
                   tflite::BuiltinOptions::Conv2DOptions, options.Union());
    }
  }

  void add_pool(int index) {
    const Layer& layer = layer_at(index);
    const Kernel& k = layer.kernel;
    const auto code = layer.kind == LayerKind::kMaxPool ? BuiltinOperator::MAX_POOL_2D
                                                        : BuiltinOperator::AVERAGE_POOL_2D;
    const WindowPadding window = padding(index);
    const std::int32_t input =
        layer.pad_operator.is_present() ? add_pad(index, window) : layer.inputs[0];
    const auto options =
        tflite::CreatePool2DOptions(builder_, implicit_padding(window), k.stride_w, k.stride_h,
                                    k.width, k.height, activation_function(layer.activation));
    add_operator(code, {input}, index + 1, tflite::BuiltinOptions::Pool2DOptions, options.Union());
  }

  // Over all extents that its window covers, axes of extent 1 included: over rows, columns or both.
  void add_mean(int index) {
    const Layer& layer = layer_at(index);
    if (flat_[static_cast<std::size_t>(layer.inputs[0])]) {
      fail(index, "a mean of the output of a fully connected layer cannot be written");
    }
    const TensorShape& input = shapes_.shape(layer.inputs[0]);
    std::vector<std::int32_t> axes;
    if (layer.kernel.height == input.height) {
      axes.push_back(1);
    }
    if (layer.kernel.width == input.width) {
      axes.push_back(2);
    }
    const int reduced =
        add_tensor(shapes_.layer_name(index) + "/axes", {static_cast<std::int32_t>(axes.size())},
                   tflite::TensorType::INT32, add_buffer(axes), {}, {}, 0);
    add_operator(BuiltinOperator::MEAN, {layer.inputs[0], reduced}, index + 1,
                 tflite::BuiltinOptions::ReducerOptions,
                 tflite::CreateReducerOptions(builder_, true).Union());
  }

  // Additions, subtractions and products of two tensors, or of one with a constant.
  void add_add(int index) {
    const Layer& layer = layer_at(index);
    if (layer.input_count() == 2 && flat_[static_cast<std::size_t>(layer.inputs[0])] !=
                                        flat_[static_cast<std::size_t>(layer.inputs[1])]) {
      fail(index, "an add of which one input comes from a fully connected layer cannot be written");
    }
    std::vector<std::int32_t> inputs{layer.inputs[0], layer.inputs[1]};
    if (has_constant_operand(layer)) {
      const QuantizedLayer& q = network_.layers[static_cast<std::size_t>(index)];
      inputs[1] = add_tensor(
          shapes_.layer_name(index) + "/constants", {static_cast<std::int32_t>(q.constants.size())},
          tflite::TensorType::INT8, add_buffer(q.constants), {q.constants_quantisation.scale},
          {q.constants_quantisation.zero_point}, 0);
      if (q.constants_come_first) {
        std::swap(inputs[0], inputs[1]);
      }
    }
    const auto activation = activation_function(layer.activation);
    if (layer.kind == LayerKind::kAdd) {
      add_operator(BuiltinOperator::ADD, inputs, index + 1, tflite::BuiltinOptions::AddOptions,
                   tflite::CreateAddOptions(builder_, activation).Union());
    } else if (layer.kind == LayerKind::kSubtract) {
      add_operator(BuiltinOperator::SUB, inputs, index + 1, tflite::BuiltinOptions::SubOptions,
                   tflite::CreateSubOptions(builder_, activation).Union());
    } else {
      add_operator(BuiltinOperator::MUL, inputs, index + 1, tflite::BuiltinOptions::MulOptions,
                   tflite::CreateMulOptions(builder_, activation).Union());
    }
  }

  void add_function(int index) {
    const Layer& layer = layer_at(index);
    const auto add = [&](BuiltinOperator code) {
      add_operator(code, {layer.inputs[0]}, index + 1, tflite::BuiltinOptions::NONE, 0);
    };
    switch (layer.function) {
      case ValueFunction::kRequantise:
        return add(BuiltinOperator::QUANTIZE);
      case ValueFunction::kRelu:
        return add(BuiltinOperator::RELU);
      case ValueFunction::kRelu6:
        return add(BuiltinOperator::RELU6);
      case ValueFunction::kLeakyRelu: {
        const float slope = network_.layers[static_cast<std::size_t>(index)].leaky_slope;
        return add_operator(BuiltinOperator::LEAKY_RELU, {layer.inputs[0]}, index + 1,
                            tflite::BuiltinOptions::LeakyReluOptions,
                            tflite::CreateLeakyReluOptions(builder_, slope).Union());
      }
      case ValueFunction::kLogistic:
        return add(BuiltinOperator::LOGISTIC);
      case ValueFunction::kTanh:
        return add(BuiltinOperator::TANH);
      case ValueFunction::kHardSwish:
        return add(BuiltinOperator::HARD_SWISH);
    }
  }

  void add_resize(int index) {
    const Layer& layer = layer_at(index);
    const Resizing& rule = layer.resizing;
    const std::vector<std::int32_t> extents{layer.output.height, layer.output.width};
    const int size = add_tensor(shapes_.layer_name(index) + "/size", {2}, tflite::TensorType::INT32,
                                add_buffer(extents), {}, {}, 0);
    if (rule.is_bilinear) {
      const auto options = tflite::CreateResizeBilinearOptions(builder_, rule.align_corners,
                                                               rule.half_pixel_centers);
      add_operator(BuiltinOperator::RESIZE_BILINEAR, {layer.inputs[0], size}, index + 1,
                   tflite::BuiltinOptions::ResizeBilinearOptions, options.Union());
    } else {
      const auto options = tflite::CreateResizeNearestNeighborOptions(builder_, rule.align_corners,
                                                                      rule.half_pixel_centers);
      add_operator(BuiltinOperator::RESIZE_NEAREST_NEIGHBOR, {layer.inputs[0], size}, index + 1,
                   tflite::BuiltinOptions::ResizeNearestNeighborOptions, options.Union());
    }
  }

  // Of one pixel's channels it is applied to each pixel, and keeps the dimensions.
  void add_fully_connected(int index, std::int32_t input_count) {
    const Layer& layer = layer_at(index);
    const auto inputs =
        weighted_inputs(index, layer.inputs[0], {layer.output.channels, input_count});
    const auto options = tflite::CreateFullyConnectedOptions(
        builder_, activation_function(layer.activation),
        tflite::FullyConnectedWeightsFormat::DEFAULT, layer.kind == LayerKind::kConv2d);
    add_operator(BuiltinOperator::FULLY_CONNECTED, inputs, index + 1,
                 tflite::BuiltinOptions::FullyConnectedOptions, options.Union());
  }

  void finish() {
    // One statement each: the order in which they are written is the order in the file.
    const auto tensors = builder_.CreateVector(tensors_);
    const auto inputs = builder_.CreateVector(std::vector<std::int32_t>{input_});
    const auto outputs = builder_.CreateVector(std::vector<std::int32_t>{output_});
    const auto operators = builder_.CreateVector(operators_);
    const auto graph_name = builder_.CreateString("main");
    const std::vector graphs{
        tflite::CreateSubGraph(builder_, tensors, inputs, outputs, operators, graph_name)};
    std::vector<Offset<tflite::OperatorCode>> codes;
    for (const BuiltinOperator code : code_order_) {
      const auto small_code = static_cast<std::int8_t>(code);
      codes.push_back(
          tflite::CreateOperatorCode(builder_, small_code, 0, operator_version(code), code));
    }
    std::vector<char> version(16, '\0');
    std::copy_n(kMinRuntimeVersion, std::string_view(kMinRuntimeVersion).size(), version.begin());
    const std::uint32_t version_buffer = add_buffer(version);
    const auto version_name = builder_.CreateString("min_runtime_version");
    const std::vector metadata{tflite::CreateMetadata(builder_, version_name, version_buffer)};
    const auto code_table = builder_.CreateVector(codes);
    const auto graph_table = builder_.CreateVector(graphs);
    const auto description = builder_.CreateString("PatchNAS");
    const auto buffer_table = builder_.CreateVector(buffers_);
    const auto metadata_table = builder_.CreateVector(metadata);
    const auto model = tflite::CreateModel(builder_, 3, code_table, graph_table, description,
                                           buffer_table, 0, metadata_table);
    tflite::FinishModelBuffer(builder_, model);
  }

  const QuantizedNetwork& network_;
  const Network& shapes_;
  flatbuffers::FlatBufferBuilder builder_;
  std::vector<bool> flat_;  // per tensor of ours: written as [1, C]
  int input_ = kImage;      // of the file
  int output_ = kNoTensor;
  std::vector<Offset<tflite::Tensor>> tensors_;
  std::vector<Offset<tflite::Buffer>> buffers_;
  std::vector<Offset<tflite::Operator>> operators_;
  std::map<BuiltinOperator, std::uint32_t> codes_;
  std::vector<BuiltinOperator> code_order_;
};

}  // namespace

std::vector<std::uint8_t> export_tflite(const QuantizedNetwork& network) {
  return Exporter(network).run();
}

}  // namespace patchnas
