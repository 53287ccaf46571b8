// Layers with weights, and the batch norms and biases behind them.

#include <cmath>

#include "arch/kernel_padding.h"
#include "deploy/import/dimensions.h"
#include "deploy/onnx/onnx_importer.h"

namespace patchnas {
namespace {

std::vector<float> floats_of(const OnnxConstant& constant) {
  const std::vector<double> values = constant.real_values();
  std::vector<float> result;
  result.reserve(values.size());
  std::transform(values.begin(), values.end(), std::back_inserter(result),
                 [](double value) { return static_cast<float>(value); });
  return result;
}

}  // namespace

// ----- numbers

OnnxParameters OnnxImporter::parameters(const OnnxNode& node, const OnnxConstant& weights,
                                        std::size_t channel_axis, const OnnxConstant* bias,
                                        int outputs, TensorId input) {
  if (bias != nullptr && bias->values.size() != static_cast<std::size_t>(outputs)) {
    model_.fail(node, "needs one bias for each of its " + std::to_string(outputs) + " outputs");
  }
  OnnxParameters result;
  if (is_quantised()) {
    read_quantised(node, weights, channel_axis, result.quantised);
    result.quantised.biases =
        bias == nullptr
            ? std::vector<std::int32_t>(static_cast<std::size_t>(outputs), 0)
            : quantised_biases(node, *bias, result.quantised.weight_scales, outputs, input);
    return result;
  }
  if (!weights.is_float() || (bias != nullptr && !bias->is_float())) {
    model_.fail(node, "its weights and biases must be float32, or dequantised to it");
  }
  result.floats.weights = floats_of(weights);
  if (bias != nullptr) {
    result.floats.bias = floats_of(*bias);
  }
  return result;
}

void OnnxImporter::read_quantised(const OnnxNode& node, const OnnxConstant& weights,
                                  std::size_t channel_axis, QuantizedLayer& result) const {
  const bool is_uint8 = weights.type == ConstantType::kUint8;
  if (!weights.quantisation || (weights.type != ConstantType::kInt8 && !is_uint8)) {
    model_.fail(&node, node.input(1), "weights must be int8 or uint8 behind a DequantizeLinear");
  }
  const ConstantQuantisation& q = *weights.quantisation;
  const int zero = is_uint8 ? 128 : 0;
  if (std::any_of(q.zero_points.begin(), q.zero_points.end(),
                  [&](std::int32_t zero_point) { return zero_point != zero; })) {
    model_.fail(&node, node.input(1),
                "weights must be symmetric: zero point 0 of int8, 128 of uint8");
  }
  if (q.scales.size() > 1 && q.axis != channel_axis) {
    model_.fail(&node, node.input(1), "weights must have one scale, or one per output channel");
  }
  result.weight_scales = q.scales;
  result.weights.reserve(weights.values.size());
  for (const double value : weights.values) {
    result.weights.push_back(static_cast<std::int8_t>(static_cast<int>(value) - zero));
  }
}

std::vector<std::int32_t> OnnxImporter::quantised_biases(const OnnxNode& node,
                                                         const OnnxConstant& bias,
                                                         std::vector<float> scales, int outputs,
                                                         TensorId input) {
  // A bias may be stated in a scale that was rounded by itself; one in another is rounded again.
  constexpr double kSameScale = 1e-5;
  constexpr double kLargest = 2147483647.0;
  scales.resize(static_cast<std::size_t>(outputs), scales.front());
  const double input_scale = quantisation(input)->scale;
  const std::vector<double> real = bias.real_values();
  std::vector<std::int32_t> result;
  for (std::size_t i = 0; i < scales.size(); ++i) {
    const double scale = input_scale * scales[i];
    const bool is_integer = bias.quantisation && bias.type == ConstantType::kInt32 &&
                            bias.quantisation->zero_points[bias.channel_of(i)] == 0;
    const double stated = is_integer ? bias.quantisation->scales[bias.channel_of(i)] : 0;
    const double steps = is_integer && std::abs(stated - scale) <= kSameScale * std::abs(scale)
                             ? bias.values[i]
                         : real[i] == 0 ? 0
                                        : std::nearbyint(real[i] / scale);
    if (!(std::abs(steps) <= kLargest)) {
      model_.fail(&node, node.input(2),
                  "holds biases that its input's and weights' scales cannot express in int32");
    }
    result.push_back(static_cast<std::int32_t>(steps));
  }
  return result;
}

bool OnnxImporter::join_bias(const OnnxNode& node, std::size_t position,
                             const OnnxConstant& constant) {
  const Layer* const layer = open_layer(node, position);
  const OnnxValue& in = any_value(node, position);
  if (layer == nullptr || !layer->has_weights()) {
    return false;
  }
  // One number, or one for each channel and none along the other axes.
  const auto channels = static_cast<std::size_t>(layer->output.channels);
  const std::optional<std::size_t> axis = only_axis(constant.dimensions, in.dimensions);
  const bool is_one_number = constant.values.size() == 1;
  if (!axis ||
      (!is_one_number && (constant.values.size() != channels || !has_channels(in, *axis)))) {
    return false;
  }
  OnnxConstant per_channel = constant;
  if (is_one_number) {
    per_channel.quantisation.reset();
    per_channel.values.assign(channels, constant.real_values().front());
  }
  const auto index = static_cast<std::size_t>(in.id) - 1;
  if (is_quantised()) {
    QuantizedLayer& quantised = quantised_layers_[index];
    const std::vector<std::int32_t> added = quantised_biases(
        node, per_channel, quantised.weight_scales, layer->output.channels, layer->inputs[0]);
    for (std::size_t c = 0; c < channels; ++c) {
      const std::int64_t sum = std::int64_t{quantised.biases[c]} + added[c];
      if (sum != static_cast<std::int32_t>(sum)) {
        model_.fail(node, "its sum with the bias before it is beyond int32");
      }
      quantised.biases[c] = static_cast<std::int32_t>(sum);
    }
  } else {
    FloatLayer& floats = float_layers_[index];
    std::vector<float>& bias = floats.batch_norm ? floats.batch_norm->beta : floats.bias;
    bias.resize(channels, 0.0F);
    const std::vector<float> added = floats_of(per_channel);
    std::transform(bias.begin(), bias.end(), added.begin(), bias.begin(), std::plus<>());
  }
  join(node, position);
  return true;
}

// ----- layers

OnnxConstant OnnxImporter::weights_of(const OnnxNode& node) {
  OnnxConstant weights = required_constant(node, 1);
  if (!is_quantised() && weights.quantisation) {
    weights = {.type = ConstantType::kFloat,
               .dimensions = weights.dimensions,
               .values = weights.real_values()};
  }
  return weights;
}

void OnnxImporter::import_convolution(const OnnxNode& node) {
  OnnxConstant weights = weights_of(node);
  const OnnxConstant* const bias = node.has_input(2) ? &required_constant(node, 2) : nullptr;
  if (weights.dimensions.size() == 3) {  // of one row
    weights.dimensions.insert(weights.dimensions.begin() + 2, 1);
  }
  const std::vector<int> shape_in_file = weights.dimensions;  // [O, I / groups, kh, kw]
  if (shape_in_file.size() != 4 || weights.values.empty()) {
    model_.fail(&node, node.input(1),
                "weights have the shape " + dimensions_text(shape_in_file) +
                    "; allowed: convolutions in one or two dimensions");
  }
  OnnxValue in = map(node, 0);
  const std::int64_t groups = model_.integer(node, "group", 1);
  const int channels = in.dimensions[1];
  if (groups < 1 || groups > channels || std::int64_t{shape_in_file[1]} * groups != channels ||
      shape_in_file[0] % groups != 0) {
    model_.fail(&node, node.input(1),
                "weights of shape " + dimensions_text(shape_in_file) + " in " +
                    std::to_string(groups) + " groups do not fit the input's " +
                    std::to_string(channels) + " channels");
  }
  Window w = window(node, {shape_in_file[2], shape_in_file[3]});
  if (const auto margins = margins_.find(node.input(0)); margins != margins_.end()) {
    w.pads.top += margins->second.top;
    w.pads.left += margins->second.left;
    w.pads.bottom += margins->second.bottom;
    w.pads.right += margins->second.right;
  }
  Layer layer = sliding_layer(node, LayerKind::kConv2d, in, w, shape_in_file[0], false);
  const bool is_dilated = w.dilations != std::array<int, 2>{1, 1};
  const bool is_depthwise =
      groups > 1 && shape_in_file[1] == 1 && shape_in_file[0] == channels && !is_dilated;
  layer.kind = is_depthwise ? LayerKind::kDepthwiseConv2d : LayerKind::kConv2d;
  layer.groups = is_depthwise ? 1 : static_cast<int>(groups);
  layer.pad_operator = required_pad_operator(shape(in), layer);
  weights = is_depthwise ? transposed(weights, {1, 2, 3, 0}) : transposed(weights, {0, 2, 3, 1});
  append_map(node, layer,
             parameters(node, weights, is_depthwise ? 3 : 0, bias, shape_in_file[0], in.id), in);
}

// Padded as the convolution from its output to its input.
void OnnxImporter::import_transposed_convolution(const OnnxNode& node) {
  OnnxConstant weights = weights_of(node);
  const OnnxConstant* const bias = node.has_input(2) ? &required_constant(node, 2) : nullptr;
  if (weights.dimensions.size() == 3) {  // of one row
    weights.dimensions.insert(weights.dimensions.begin() + 2, 1);
  }
  const std::vector<int> shape_in_file = weights.dimensions;  // [I, O, kh, kw]
  const OnnxValue in = map(node, 0);
  if (shape_in_file.size() != 4 || weights.values.empty() || shape_in_file[0] != in.dimensions[1] ||
      model_.integer(node, "group", 1) != 1) {
    model_.fail(&node, node.input(1),
                "weights have the shape " + dimensions_text(shape_in_file) +
                    "; allowed: [input channels, output channels, rows, columns] of one group");
  }
  const Window w = window(node, {shape_in_file[2], shape_in_file[3]});
  if (w.dilations != std::array{1, 1}) {
    model_.fail(node, "has a dilation, which only a convolution forwards may have");
  }
  Layer layer;
  layer.kind = LayerKind::kTransposeConv;
  layer.inputs = {in.id, kNoTensor};
  layer.kernel = {.height = w.kernel[0],
                  .width = w.kernel[1],
                  .stride_h = w.strides[0],
                  .stride_w = w.strides[1]};
  const auto [rows, cols] = transposed_axes(node, in, w);
  layer.kernel.pad_top = rows.before;
  layer.kernel.pad_left = cols.before;
  layer.output = {rows.output, cols.output, shape_in_file[1]};
  append_map(node, layer,
             parameters(node, transposed(weights, {1, 2, 3, 0}), 0, bias, shape_in_file[1], in.id),
             in);
}

void OnnxImporter::import_gemm(const OnnxNode& node) {
  OnnxConstant weights = weights_of(node);
  const double alpha = model_.number(node, "alpha", 1.0F);
  const double beta = model_.number(node, "beta", 1.0F);
  std::optional<OnnxConstant> bias;
  if (node.has_input(2)) {
    bias = required_constant(node, 2);
  }
  if (model_.integer(node, "transA", 0) != 0 || weights.dimensions.size() != 2) {
    model_.fail(node, "its first input must not be transposed, its second must have 2 dimensions");
  }
  if ((alpha != 1 || beta != 1) && is_quantised()) {
    model_.fail(node, "alpha and beta must be 1 in a quantised file");
  }
  if (model_.integer(node, "transB", 0) == 0) {
    weights = transposed(weights, {1, 0});
  }
  const auto scale = [](OnnxConstant& constant, double factor) {
    if (factor != 1) {
      constant = {.type = ConstantType::kFloat,
                  .dimensions = constant.dimensions,
                  .values = constant.real_values()};
      for (double& value : constant.values) {
        value *= factor;
      }
    }
  };
  scale(weights, alpha);
  if (bias) {
    scale(*bias, beta);
    if (bias->values.size() == 1 && weights.dimensions[0] != 1) {
      bias = OnnxConstant{
          .type = ConstantType::kFloat,
          .dimensions = {weights.dimensions[0]},
          .values = std::vector<double>(static_cast<std::size_t>(weights.dimensions[0]),
                                        bias->real_values().front())};
    }
  }
  append_dense(node, weights, bias ? &*bias : nullptr);
}

void OnnxImporter::import_matmul(const OnnxNode& node) {
  OnnxConstant weights = weights_of(node);
  while (weights.dimensions.size() > 2 && weights.dimensions.front() == 1) {
    weights.dimensions.erase(weights.dimensions.begin());
    if (weights.quantisation && weights.quantisation->axis > 0) {
      --weights.quantisation->axis;
    }
  }
  if (weights.dimensions.size() != 2) {
    model_.fail(&node, node.input(1), "must be a constant matrix");
  }
  append_dense(node, transposed(weights, {1, 0}), nullptr);
}

void OnnxImporter::append_dense(const OnnxNode& node, const OnnxConstant& weights,
                                const OnnxConstant* bias) {
  OnnxValue in = value(node, 0);
  const int outputs = weights.dimensions[0];
  const int inputs = weights.dimensions[1];
  if (in.dimensions.empty() || in.dimensions.back() != inputs || weights.values.empty()) {
    model_.fail(&node, node.input(1),
                "weights for " + std::to_string(inputs) + " inputs do not fit the shape " +
                    dimensions_text(in.dimensions) + " of the input");
  }
  std::vector<int> dimensions = in.dimensions;
  dimensions.back() = outputs;
  Layer layer;
  if (element_count(in.dimensions) == inputs) {
    // Reads all elements, wherever they lie: the weights follow them.
    in = settled(node, 0);
    layer.inputs = {in.id, kNoTensor};
    OnnxConstant placed = weights;
    const std::vector<int> places = in.view.places();
    for (std::size_t i = 0; i < weights.values.size(); ++i) {
      const std::size_t column = i % places.size();
      placed.values[i - column + static_cast<std::size_t>(places[column])] = weights.values[i];
    }
    layer.kind = LayerKind::kFullyConnected;
    layer.output = {1, 1, outputs};
    return append(node, layer, parameters(node, placed, 0, bias, outputs, in.id), dimensions,
                  OnnxView({{outputs, 1}}));
  }
  in = by_channel(node, in, in.dimensions.size() - 1);
  layer.kind = LayerKind::kConv2d;
  layer.inputs = {in.id, kNoTensor};
  layer.output = {shape(in).height, shape(in).width, outputs};
  OnnxConstant pointwise = weights;
  pointwise.dimensions = {outputs, 1, 1, inputs};
  append(node, layer, parameters(node, pointwise, 0, bias, outputs, in.id), dimensions,
         with_channels(in, in.dimensions.size() - 1, outputs));
}

void OnnxImporter::import_batch_norm(const OnnxNode& node) {
  if (is_quantised()) {
    model_.fail(node, "must be folded into the layer before it, before that is quantised");
  }
  if (model_.integer(node, "training_mode", 0) != 0) {
    model_.fail(node, "is exported for training (torch.onnx.export(model.eval(), ...))");
  }
  if (model_.integer(node, "spatial", 1) == 0) {
    model_.fail(node, "normalises each position by itself");
  }
  const OnnxValue& raw = any_value(node, 0);
  if (raw.dimensions.size() < 2) {
    model_.fail(&node, node.input(0), "has no channels");
  }
  const auto channels = static_cast<std::size_t>(raw.dimensions[1]);
  const auto numbers = [&](std::size_t position) {
    std::vector<float> values = floats_of(required_constant(node, position));
    if (values.size() != channels) {
      model_.fail(&node, node.input(position),
                  "needs one number for each of " + std::to_string(channels) + " channels");
    }
    return values;
  };
  BatchNorm norm{.gamma = numbers(1),
                 .beta = numbers(2),
                 .mean = numbers(3),
                 .variance = numbers(4),
                 .epsilon = double{model_.number(node, "epsilon", 1e-5F)}};
  const Layer* const before = open_layer(node, 0);
  if (before != nullptr && before->has_weights() && has_channels(raw, 1) &&
      !float_layer(raw.id).batch_norm) {
    float_layer(raw.id).batch_norm = std::move(norm);
    return join(node, 0);
  }
  const OnnxValue in = by_channel(node, value(node, 0), 1);
  Layer layer;
  layer.kind = LayerKind::kDepthwiseConv2d;
  layer.inputs = {in.id, kNoTensor};
  layer.output = shape(in);
  OnnxParameters parameters;
  parameters.floats.weights.assign(channels, 1.0F);
  parameters.floats.batch_norm = std::move(norm);
  append(node, layer, std::move(parameters), in.dimensions, in.view);
}

}  // namespace patchnas
