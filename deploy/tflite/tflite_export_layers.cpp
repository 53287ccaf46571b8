// One function for each kind of layer that computes.

#include <algorithm>
#include <utility>

#include "arch/operator_table.h"
#include "deploy/tflite/tflite_exporter.h"
#include "deploy/tflite/tflite_weights.h"

namespace patchnas {

using tflite::BuiltinOperator;

namespace {

// Whether a convolution in groups is one of DEPTHWISE_CONV_2D: each channel by itself, with several
// outputs or dilation. Others are CONV_2D in groups.
bool is_depthwise(const Layer& layer, int input_channels) {
  const bool is_dilated = layer.kernel.dilation_h != 1 || layer.kernel.dilation_w != 1;
  return layer.groups > 1 && layer.groups == input_channels &&
         (layer.output.channels > input_channels || is_dilated);
}

}  // namespace

// ----- with weights

std::vector<FileTensor> TfliteExporter::weighted_inputs(int layer, FileTensor input,
                                                        const std::vector<int>& dimensions,
                                                        int channel_axis,
                                                        const std::vector<std::int8_t>& weights) {
  const QuantizedLayer& q = parameters(layer);
  const std::string name = shapes_.layer_name(layer);
  std::vector<float> bias_scales = q.weight_scales;
  for (float& scale : bias_scales) {
    scale *= quantisation(layer_at(layer).inputs[0]).scale;
  }
  const FileTensor weight_tensor =
      writer_.add_parameters(name + "/weights", dimensions, weights, q.weight_scales, channel_axis);
  const FileTensor biases = writer_.add_parameters(
      name + "/bias", {static_cast<int>(q.biases.size())}, q.biases, bias_scales, 0);
  return {input, weight_tensor, biases};
}

void TfliteExporter::export_convolution(int index) {
  const Layer& layer = layer_at(index);
  const Kernel& k = layer.kernel;
  const int in_channels = shapes_.shape(layer.inputs[0]).channels;
  const std::vector<std::int8_t>& weights = parameters(index).weights;
  if (parameters(index).convolution_operator == ConvolutionOperator::kFullyConnected) {
    return add_fully_connected(index, map(layer.inputs[0]), in_channels);
  }
  if (is_depthwise(layer, in_channels)) {
    return add_depthwise(index,
                         outputs_last(weights, {1, k.height, k.width, layer.output.channels}));
  }
  const Window in = window(index, zero_point(layer.inputs[0]));
  const auto inputs = weighted_inputs(
      index, in.input, {layer.output.channels, k.height, k.width, in_channels / layer.groups}, 0,
      weights);
  const auto options =
      tflite::CreateConv2DOptions(writer_.options(), in.padding, k.stride_w, k.stride_h,
                                  fused_function(layer.activation), k.dilation_w, k.dilation_h);
  const FileTensor output = add_output(index);
  if (layer.groups > 1) {
    return writer_.add_operator(kGroupedConvolution, inputs, output, options);
  }
  writer_.add_operator(BuiltinOperator::CONV_2D, inputs, output, options);
}

void TfliteExporter::export_depthwise(int index) {
  add_depthwise(index, parameters(index).weights);
}

void TfliteExporter::add_depthwise(int index, const std::vector<std::int8_t>& weights) {
  const Layer& layer = layer_at(index);
  const Kernel& k = layer.kernel;
  const Window in = window(index, zero_point(layer.inputs[0]));
  const auto inputs =
      weighted_inputs(index, in.input, {1, k.height, k.width, layer.output.channels}, 3, weights);
  const int multiplier = layer.output.channels / shapes_.shape(layer.inputs[0]).channels;
  writer_.add_operator(BuiltinOperator::DEPTHWISE_CONV_2D, inputs, add_output(index),
                       tflite::CreateDepthwiseConv2DOptions(
                           writer_.options(), in.padding, k.stride_w, k.stride_h, multiplier,
                           fused_function(layer.activation), k.dilation_w, k.dilation_h));
}

// Padded as the convolution from its output to its input would be.
void TfliteExporter::export_transpose_convolution(int index) {
  const Layer& layer = layer_at(index);
  const Kernel& k = layer.kernel;
  const TensorShape& in = shapes_.shape(layer.inputs[0]);
  Layer convolution = layer;
  convolution.output = in;
  const std::optional<WindowPadding> padding = kernel_padding(layer.output, convolution);
  if (!padding) {
    fail(index, "a transposed convolution padded otherwise than SAME or VALID cannot be written");
  }
  const auto operands = weighted_inputs(index, map(layer.inputs[0]),
                                        {layer.output.channels, k.height, k.width, in.channels}, 0,
                                        parameters(index).weights);
  const FileTensor shape =
      writer_.add_numbers(shapes_.layer_name(index) + "/shape", map_dimensions(index + 1));
  writer_.add_operator(
      BuiltinOperator::TRANSPOSE_CONV, {shape, operands[1], operands[0], operands[2]},
      add_output(index),
      tflite::CreateTransposeConvOptions(writer_.options(), operator_padding(*padding), k.stride_w,
                                         k.stride_h, fused_function(layer.activation)));
}

void TfliteExporter::export_fully_connected(int index) {
  const TensorId input = layer_at(index).inputs[0];
  add_fully_connected(index, written(input), static_cast<int>(shapes_.shape(input).elements()));
}

void TfliteExporter::add_fully_connected(int index, FileTensor input, int inputs) {
  const Layer& layer = layer_at(index);
  const bool keeps_dimensions = layer.kind == LayerKind::kConv2d;
  const auto operands =
      weighted_inputs(index, input, {layer.output.channels, inputs}, 0, parameters(index).weights);
  const auto options = tflite::CreateFullyConnectedOptions(
      writer_.options(), fused_function(layer.activation),
      tflite::FullyConnectedWeightsFormat::DEFAULT, keeps_dimensions);
  const FileTensor output =
      keeps_dimensions ? add_output(index) : add_output(index, {1, layer.output.channels});
  if (parameters(index).weight_scales.size() > 1) {
    return writer_.add_operator(kFullyConnectedByChannel, operands, output, options);
  }
  writer_.add_operator(BuiltinOperator::FULLY_CONNECTED, operands, output, options);
}

// ----- element by element

// Of two tensors, or of one with a constant.
void TfliteExporter::export_combination(int index) {
  const Layer& layer = layer_at(index);
  std::vector<FileTensor> inputs{written(layer.inputs[0])};
  if (has_constant_operand(layer)) {
    const QuantizedLayer& q = parameters(index);
    inputs.push_back(writer_.add_constant(shapes_.layer_name(index) + "/constants",
                                          layer.has_constant_map
                                              ? writer_.dimensions(inputs[0])
                                              : std::vector{static_cast<int>(q.constants.size())},
                                          q.constants, q.constants_quantisation));
    if (q.constants_come_first) {
      std::swap(inputs[0], inputs[1]);
    }
  } else {
    inputs.push_back(written(layer.inputs[1]));
    if (writer_.dimensions(inputs[0]) != writer_.dimensions(inputs[1])) {
      inputs = {map(layer.inputs[0]), map(layer.inputs[1])};
    }
  }
  const std::size_t tensor_position = parameters(index).constants_come_first ? 1 : 0;
  const FileTensor output = add_output(index, writer_.dimensions(inputs[tensor_position]));
  const auto function = fused_function(layer.activation);
  switch (layer.kind) {
    case LayerKind::kAdd:
      return writer_.add_operator(BuiltinOperator::ADD, inputs, output,
                                  tflite::CreateAddOptions(writer_.options(), function));
    case LayerKind::kSubtract:
      return writer_.add_operator(BuiltinOperator::SUB, inputs, output,
                                  tflite::CreateSubOptions(writer_.options(), function));
    case LayerKind::kPrelu:
      return writer_.add_operator(BuiltinOperator::PRELU, inputs, output);
    case LayerKind::kMaximum:
      return writer_.add_operator(BuiltinOperator::MAXIMUM, inputs, output);
    case LayerKind::kMinimum:
      return writer_.add_operator(BuiltinOperator::MINIMUM, inputs, output);
    case LayerKind::kSquaredDifference:
      return writer_.add_operator(BuiltinOperator::SQUARED_DIFFERENCE, inputs, output);
    default:
      return writer_.add_operator(BuiltinOperator::MUL, inputs, output,
                                  tflite::CreateMulOptions(writer_.options(), function));
  }
}

void TfliteExporter::export_function(int index) {
  const Layer& layer = layer_at(index);
  const FileTensor input = written(layer.inputs[0]);
  const FileTensor output = add_output(index, writer_.dimensions(input));
  const auto add = [&](BuiltinOperator code) { writer_.add_operator(code, {input}, output); };
  switch (layer.function) {
    case ValueFunction::kRequantise:
      return add(BuiltinOperator::QUANTIZE);
    case ValueFunction::kRelu:
      return add(BuiltinOperator::RELU);
    case ValueFunction::kRelu6:
      return add(BuiltinOperator::RELU6);
    case ValueFunction::kLeakyRelu:
      return writer_.add_operator(
          BuiltinOperator::LEAKY_RELU, {input}, output,
          tflite::CreateLeakyReluOptions(writer_.options(), parameters(index).leaky_slope));
    case ValueFunction::kLogistic:
      return add(BuiltinOperator::LOGISTIC);
    case ValueFunction::kTanh:
      return add(BuiltinOperator::TANH);
    case ValueFunction::kHardSwish:
      return add(BuiltinOperator::HARD_SWISH);
    case ValueFunction::kAbs:
      return add(BuiltinOperator::ABS);
    case ValueFunction::kElu:
      return add(BuiltinOperator::ELU);
    case ValueFunction::kRsqrt:
      return add(BuiltinOperator::RSQRT);
    case ValueFunction::kTable:
      fail(index, "a table, as folding makes it of several layers, cannot be written");
  }
}

// ----- of the whole input

void TfliteExporter::export_softmax(int index) {
  const FileTensor input = written(layer_at(index).inputs[0]);
  writer_.add_operator(BuiltinOperator::SOFTMAX, {input},
                       add_output(index, writer_.dimensions(input)),
                       tflite::CreateSoftmaxOptions(writer_.options(), 1.0F));
}

// Over all rows or columns that its window covers, axes of extent 1 included; if none, over the
// batch, which is one. Windows that are a part of an axis become an axis of their own.
void TfliteExporter::export_mean(int index) {
  const Layer& layer = layer_at(index);
  const Kernel& k = layer.kernel;
  const TensorShape& shape = shapes_.shape(layer.inputs[0]);
  const bool is_whole =
      (k.height == 1 || k.height == shape.height) && (k.width == 1 || k.width == shape.width);
  if (!is_whole) {
    const ArrayOperators arrays = array_operators(index);
    const FileTensor blocks =
        ArrayOperators(writer_, tensor_name(layer.inputs[0]) + "/blocks",
                       quantisation(layer.inputs[0]))
            .reshaped(map(layer.inputs[0]), {shape.height / k.height, k.height,
                                             shape.width / k.width, k.width, shape.channels});
    const FileTensor reduced = writer_.add_activation(
        shapes_.layer_name(index) + "/blocks",
        {layer.output.height, layer.output.width, layer.output.channels}, quantisation(index + 1));
    add_reduction(index, blocks, {1, 3}, reduced, false);
    // Not by a RESHAPE alone: it would be read as what that reads, in its shape.
    return set_output(index, arrays.sliced(arrays.reshaped(reduced, map_dimensions(index + 1))));
  }
  std::vector<std::int32_t> axes;
  if (k.height == shape.height) {
    axes.push_back(1);
  }
  if (k.width == shape.width) {
    axes.push_back(2);
  }
  if (axes.empty()) {
    axes.push_back(0);
  }
  add_reduction(index, map(layer.inputs[0]), axes, add_output(index), true);
}

void TfliteExporter::add_reduction(int index, FileTensor input,
                                   const std::vector<std::int32_t>& axes, FileTensor output,
                                   bool keeps_dimensions) {
  const FileTensor reduced = writer_.add_numbers(shapes_.layer_name(index) + "/axes", axes);
  writer_.add_operator(parameters(index).is_sum ? BuiltinOperator::SUM : BuiltinOperator::MEAN,
                       {input, reduced}, output,
                       tflite::CreateReducerOptions(writer_.options(), keeps_dimensions));
}

void TfliteExporter::export_resize(int index) {
  const Layer& layer = layer_at(index);
  const Resizing& rule = layer.resizing;
  const FileTensor input = map(layer.inputs[0]);
  const FileTensor size = writer_.add_numbers(shapes_.layer_name(index) + "/size",
                                              {layer.output.height, layer.output.width});
  if (rule.is_bilinear) {
    writer_.add_operator(BuiltinOperator::RESIZE_BILINEAR, {input, size}, add_output(index),
                         tflite::CreateResizeBilinearOptions(writer_.options(), rule.align_corners,
                                                             rule.half_pixel_centers));
  } else {
    writer_.add_operator(BuiltinOperator::RESIZE_NEAREST_NEIGHBOR, {input, size}, add_output(index),
                         tflite::CreateResizeNearestNeighborOptions(
                             writer_.options(), rule.align_corners, rule.half_pixel_centers));
  }
}

}  // namespace patchnas
