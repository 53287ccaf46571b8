// One function per operator that is a layer, or nothing but another view of a tensor.

#include <cmath>

#include "arch/base/error.h"
#include "deploy/tflite/tflite_importer.h"
#include "deploy/tflite/tflite_sliding.h"
#include "deploy/tflite/tflite_views.h"
#include "deploy/tflite/tflite_weights.h"

namespace patchnas {

using tflite::BuiltinOperator;

template <typename Options>
Layer TfliteImporter::convolution_layer(const FileOperator& op, LayerKind kind, const FileValue& in,
                                        const std::vector<int>& weights,
                                        int output_channels) const {
  const auto& o = options<Options>(op);
  const bool is_blocked = in.dilation_h != 1 || in.dilation_w != 1;
  if (is_blocked && (o.stride_h() != 1 || o.stride_w() != 1 || o.dilation_h_factor() != 1 ||
                     o.dilation_w_factor() != 1 || o.padding() != tflite::Padding::VALID)) {
    model_.fail(op, "a convolution of blocks must have stride 1 and padding VALID");
  }
  const WindowOptions window{weights[1],
                             weights[2],
                             o.stride_h(),
                             o.stride_w(),
                             o.padding(),
                             is_blocked ? in.dilation_h : o.dilation_h_factor(),
                             is_blocked ? in.dilation_w : o.dilation_w_factor()};
  Layer layer = sliding_layer(model_, op, kind, in, window, output_channels);
  layer.activation = activation_function(op, o.fused_activation_function());
  layer.pad_operator = pad_operator(in);
  return layer;
}

void TfliteImporter::import_pad(const FileOperator& op) {
  const FileValue& in = value(op, 0);
  const FilePadding padding = padding_of(model_, op, in, type_);
  if (std::optional<FileValue> view = padded_view(in, padding)) {
    view->padded = op.outputs[0];
    return pass_on(op, *view);
  }
  append_padded(op, padding);
}

void TfliteImporter::import_reshape(const FileOperator& op) {
  const FileValue& in = any_value(op, 0);
  const FileValue view = reread(in, model_.dimensions(op.outputs[0], &op));
  const bool is_view = in.is_ordered() && (!in.has_margins() || view.reread_as.empty());
  const bool may_copy = !in.holds_end_numbers;
  pass_on_bytes(op, reshaped_view(model_, op, is_view || !may_copy ? in : plain(op, 0)));
}

void TfliteImporter::import_transpose(const FileOperator& op) {
  const FileValue& in = any_value(op, 0);
  const bool may_copy = !in.holds_end_numbers;
  pass_on_bytes(op, transposed_view(model_, op, !in.axes.empty() || !may_copy ? in : plain(op, 0)));
}

void TfliteImporter::import_convolution(const FileOperator& op) {
  const std::vector<int> shape = weight_shape(op, 4);
  const FileValue& in = map_for_convolution(op, shape[1], shape[2]);
  Layer layer =
      convolution_layer<tflite::Conv2DOptions>(op, LayerKind::kConv2d, in, shape, shape[0]);
  layer.groups = group_count(op, in.shape.channels, shape);
  LayerValues values = parameters(op, 0, shape[0]);
  if (in.is_turned()) {
    turn_weights(values, shape);
  }
  append_map(op, layer, std::move(values), in);
}

// Inputs are the output's shape, which the file declares as well, the weights, and then the tensor.
void TfliteImporter::import_transpose_convolution(const FileOperator& op) {
  FileOperator convolution = op;  // with its inputs as those of a convolution
  convolution.inputs = {op.input(2), op.input(1), op.input(3)};
  const auto& o = options<tflite::TransposeConvOptions>(op);
  const std::vector<int> shape = weight_shape(convolution, 4);
  const FileValue& found = map(convolution);
  const FileValue& in = found.has_margins() || found.is_turned() ? plain(convolution, 0) : found;
  const std::vector<int> to = model_.dimensions(op.outputs[0], &op);
  if (!in.is_map() || shape[3] != in.shape.channels || to.size() != 4 || to[0] != 1 ||
      to[3] != shape[0]) {
    model_.fail(op, "its weights must be [output channels, height, width, input channels]");
  }
  // The convolution that it is the transpose of reads the output.
  const FileValue read{.id = kNoTensor, .shape = shape_of(to), .margins = {}};
  Layer layer = sliding_layer(model_, op, LayerKind::kTransposeConv, read,
                              {shape[1], shape[2], o.stride_h(), o.stride_w(), o.padding()},
                              in.shape.channels);
  if (layer.output != in.shape) {
    model_.fail(op, "its output's shape does not follow from its inputs");
  }
  layer.inputs = {in.id, kNoTensor};
  layer.output = read.shape;
  layer.activation = activation_function(op, o.fused_activation_function());
  append_map(op, layer, parameters(convolution, 0, shape[0]), in);
}

int TfliteImporter::group_count(const FileOperator& op, int input_channels,
                                const std::vector<int>& weights) const {
  const int groups = input_channels / weights[3];
  if (groups * weights[3] != input_channels || weights[0] % groups != 0) {
    model_.fail(&op, op.inputs[1],
                "weights for " + std::to_string(weights[3]) + " channels, the input has " +
                    std::to_string(input_channels) + ", the output " + std::to_string(weights[0]) +
                    "; these are no groups of equal size");
  }
  return groups;
}

void TfliteImporter::import_depthwise(const FileOperator& op) {
  const std::vector<int> shape = weight_shape(op, 4);
  const FileValue& in = map_for_convolution(op, shape[1], shape[2]);
  const int channels = in.shape.channels;
  const int multiplier = shape[3] / channels;
  if (shape[0] != 1 || multiplier * channels != shape[3]) {
    model_.fail(
        &op, op.inputs[1],
        "weights must be [1, height, width, a multiple of " + std::to_string(channels) + "]");
  }
  Layer layer = convolution_layer<tflite::DepthwiseConv2DOptions>(op, LayerKind::kDepthwiseConv2d,
                                                                  in, shape, shape[3]);
  const bool is_depthwise = multiplier == 1 && !is_dilated(layer);
  if (!is_depthwise) {
    layer.kind = LayerKind::kConv2d;
    layer.groups = channels;
  }
  LayerValues values = parameters(op, 3, shape[3]);
  if (in.is_turned()) {
    turn_weights(values, shape);
  }
  if (!is_depthwise) {
    put_outputs_first(values, shape);
  }
  append_map(op, layer, std::move(values), in);
}

void TfliteImporter::import_pool(const FileOperator& op) {
  const auto& o = options<tflite::Pool2DOptions>(op);
  const bool is_max = op.code == BuiltinOperator::MAX_POOL_2D;
  const FileValue& found = map(op);
  const bool margins_count =
      found.has_margins() && (!is_max || margins_count_in_maximum(found) ||
                              !margins_fit(found, o.filter_height(), o.filter_width()));
  const FileValue& in = margins_count ? plain(op, 0) : found;
  const WindowOptions window{o.filter_height(), o.filter_width(), o.stride_h(), o.stride_w(),
                             o.padding()};
  Layer layer = sliding_layer(model_, op, is_max ? LayerKind::kMaxPool : LayerKind::kAveragePool,
                              in, window, in.shape.channels);
  layer.activation = activation_function(op, o.fused_activation_function());
  if (is_max) {
    layer.pad_operator = pad_operator(in);
  }
  append_map(op, layer, {}, in);
}

bool TfliteImporter::margins_count_in_maximum(const FileValue& in) const {
  return in.margin_value != -128 &&
         (in.margin_fill != MarginFill::kZero || !is_never_negative(in.id));
}

bool TfliteImporter::is_never_negative(TensorId tensor) const {
  if (tensor == kImage) {
    return false;
  }
  const Layer& layer = result_.network.layers[static_cast<std::size_t>(tensor) - 1];
  const bool is_pool = layer.kind == LayerKind::kMaxPool || layer.kind == LayerKind::kAveragePool;
  return activation_limits(layer.activation).low >= 0 ||
         (is_pool && is_never_negative(layer.inputs[0]));
}

void TfliteImporter::import_fully_connected(const FileOperator& op) {
  const auto& o = options<tflite::FullyConnectedOptions>(op);
  if (o.weights_format() != tflite::FullyConnectedWeightsFormat::DEFAULT) {
    model_.fail(op, "shuffled weights are not supported");
  }
  const std::vector<int> shape = weight_shape(op, 2);
  const FileValue& found = elements(op, 0);
  const bool fits = shape[1] == found.shape.elements() || shape[1] == found.shape.channels;
  const FileValue& in = fits ? found : plain(op, 0);
  const bool reads_all = shape[1] == in.shape.elements();
  if (!reads_all && shape[1] != in.shape.channels) {
    model_.fail(&op, op.inputs[1],
                "weights for " + std::to_string(shape[1]) + " inputs fit neither the " +
                    std::to_string(in.shape.elements()) + " values of the input nor the " +
                    std::to_string(in.shape.channels) + " channels of a pixel");
  }
  Layer layer;
  layer.kind = reads_all ? LayerKind::kFullyConnected : LayerKind::kConv2d;
  layer.inputs = {in.id, kNoTensor};
  layer.output = {1, 1, shape[0]};
  layer.activation = activation_function(op, o.fused_activation_function());
  LayerValues values = parameters(op, 0, shape[0]);
  if (!reads_all) {
    layer.output = {in.shape.height, in.shape.width, shape[0]};
    values.int8.convolution_operator = ConvolutionOperator::kFullyConnected;
  }
  check_bias_scale(op, values.int8);
  const std::vector<int> dimensions = model_.dimensions(op.outputs[0], &op);
  if (dimensions.empty() || dimensions.back() != shape[0] ||
      element_count(dimensions) != layer.output.elements()) {
    model_.fail(op, "its output's shape does not follow from its inputs");
  }
  append(op, layer, std::move(values), reread(next_value(layer.output), dimensions));
}

void TfliteImporter::check_bias_scale(const FileOperator& op,
                                      const QuantizedLayer& quantised) const {
  constexpr double kTolerance = 0.02;  // of the output's scale
  if (take_ != Take::kInt8 || op.input(2) < 0 || quantised.weight_scales.size() != 1) {
    return;
  }
  const double product = double{model_.activation_quantisation(op.input(0), &op).scale} *
                         double{quantised.weight_scales[0]};
  const double difference = std::abs(product - double{model_.first_scale(op.input(2))});
  if (difference > kTolerance * double{activation_quantisation(op.outputs[0], &op).scale}) {
    model_.fail(&op, op.input(2),
                "its scale must be the product of the input's and the weights' scales");
  }
}

void TfliteImporter::import_softmax(const FileOperator& op) {
  if (options<tflite::SoftmaxOptions>(op).beta() != 1.0F) {
    model_.fail(op, "beta must be 1");
  }
  const FileValue& in = elements_by_channel(op, 0);
  if (!in.ends_in_channels()) {
    model_.fail(&op, op.inputs[0], "has more than four dimensions");
  }
  Layer layer;
  layer.kind = LayerKind::kSoftmax;
  layer.inputs = {in.id, kNoTensor};
  layer.output = in.shape;
  append_like(op, layer, {}, in);
}

}  // namespace patchnas
