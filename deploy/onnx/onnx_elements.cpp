// Nodes that compute element by element.

#include <cmath>

#include "deploy/import/dimensions.h"
#include "deploy/onnx/onnx_importer.h"
#include "deploy/quantise/requantisation.h"

namespace patchnas {

// ----- one value at a time

void OnnxImporter::import_function(const OnnxNode& node) {
  static const std::unordered_map<std::string, ValueFunction> functions = {
      {"Abs", ValueFunction::kAbs},
      {"Elu", ValueFunction::kElu},
      {"HardSwish", ValueFunction::kHardSwish},
      {"LeakyRelu", ValueFunction::kLeakyRelu},
      {"Sigmoid", ValueFunction::kLogistic},
      {"Tanh", ValueFunction::kTanh}};
  const ValueFunction function = functions.at(node.op);
  if (function == ValueFunction::kElu && model_.number(node, "alpha", 1.0F) != 1) {
    model_.fail(node, "has another alpha than 1");
  }
  append_function(node, function,
                  function == ValueFunction::kLeakyRelu ? model_.number(node, "alpha", 0.01F) : 0);
}

void OnnxImporter::append_function(const OnnxNode& node, ValueFunction function, float slope) {
  const OnnxValue in = settled(node, 0);
  Layer layer;
  layer.kind = LayerKind::kLookup;
  layer.function = function;
  layer.inputs = {in.id, kNoTensor};
  layer.output = shape(in);
  OnnxParameters parameters;
  parameters.floats.leaky_slope = parameters.quantised.leaky_slope = slope;
  append(node, layer, std::move(parameters), in.dimensions, in.view);
}

void OnnxImporter::import_relu(const OnnxNode& node) { import_activation(node, Activation::kRelu); }

void OnnxImporter::import_clip(const OnnxNode& node) {
  // Older operator sets have them as attributes.
  const auto limit = [&](std::size_t position, const char* name, double absent) {
    if (!node.has_input(position)) {
      return double{model_.number(node, name, static_cast<float>(absent))};
    }
    const OnnxConstant& constant = required_constant(node, position);
    if (constant.values.size() != 1) {
      model_.fail(&node, node.input(position), "must be one number");
    }
    return constant.real_values().front();
  };
  constexpr double kNoLimit = 0x1p127;  // exporters write the largest float
  const double low = limit(1, "min", -kNoLimit);
  const double high = limit(2, "max", kNoLimit);
  if (low <= -kNoLimit && high >= kNoLimit) {
    return import_view(node);
  }
  if (low == 0 && (high == 6 || high >= kNoLimit)) {
    return import_activation(node, high == 6 ? Activation::kRelu6 : Activation::kRelu);
  }
  if (Layer* const before = open_layer(node, 0); before != nullptr && low == -1 && high == 1) {
    before->activation = Activation::kReluN1To1;
    return join(node, 0);
  }
  OnnxValue in = settled(node, 0);
  if (low > -kNoLimit) {
    in = append_scalar(node, LayerKind::kMaximum, in, low, Activation::kNone);
  }
  if (high < kNoLimit) {
    in = append_scalar(node, LayerKind::kMinimum, in, high, Activation::kNone);
  }
  names_[in.id] = node.output();
  pass_on(node, in);
}

void OnnxImporter::import_activation(const OnnxNode& node, Activation activation) {
  if (Layer* const before = open_layer(node, 0)) {
    before->activation = activation;
    return join(node, 0);
  }
  append_function(
      node, activation == Activation::kRelu ? ValueFunction::kRelu : ValueFunction::kRelu6, 0);
}

void OnnxImporter::import_prelu(const OnnxNode& node) {
  const std::vector<double> slopes = required_constant(node, 1).real_values();
  if (!slopes.empty() && std::all_of(slopes.begin(), slopes.end(),
                                     [&](double slope) { return slope == slopes.front(); })) {
    return append_function(node, ValueFunction::kLeakyRelu, static_cast<float>(slopes.front()));
  }
  Layer layer;
  layer.kind = LayerKind::kPrelu;
  import_with_constant(node, layer, 1);
}

void OnnxImporter::import_hard_sigmoid(const OnnxNode& node) {
  constexpr float kAlpha = 1.0F / 6.0F;
  constexpr float kClose = 1e-5F;
  const float alpha = model_.number(node, "alpha", 0.2F);
  const float beta = model_.number(node, "beta", 0.5F);
  const std::string& output = node.output();
  const std::vector<const OnnxNode*>& readers = model_.readers(output);
  const bool is_swish =
      std::abs(alpha - kAlpha) < kClose && beta == 0.5F && readers.size() == 1 &&
      readers[0]->op == "Mul" && !model_.is_output(output) &&
      (readers[0]->input(0) == node.input(0) || readers[0]->input(1) == node.input(0));
  if (is_swish) {
    hard_sigmoids_[output] = node.input(0);
    return pass_on(node, any_value(node, 0));
  }
  if (is_quantised()) {
    model_.fail(node, "a quantised file may have it only as HardSwish");
  }
  // clip(alpha x + beta, 0, 1) = relu6(6 alpha x + 6 beta) / 6
  OnnxValue in = settled(node, 0);
  if (const double factor = 6.0 * double{alpha}; std::abs(factor - 1) > 6 * double{kClose}) {
    in = append_scalar(node, LayerKind::kMultiply, in, factor, Activation::kNone);
  }
  in = append_scalar(node, LayerKind::kAdd, in, 6.0 * double{beta}, Activation::kRelu6);
  in = append_scalar(node, LayerKind::kMultiply, in, 1.0 / 6.0, Activation::kNone);
  names_[in.id] = output;
  pass_on(node, in);
}

bool OnnxImporter::import_hard_swish(const OnnxNode& node) {
  for (const std::size_t position : {0U, 1U}) {
    const auto found = hard_sigmoids_.find(node.input(position));
    if (found != hard_sigmoids_.end() && found->second == node.input(1 - position)) {
      append_function(node, ValueFunction::kHardSwish, 0);
      return true;
    }
  }
  return false;
}

// ----- two values at a time

void OnnxImporter::import_combination(const OnnxNode& node) {
  static const std::unordered_map<std::string, LayerKind> kinds = {
      {"Add", LayerKind::kAdd},     {"Div", LayerKind::kMultiply}, {"Max", LayerKind::kMaximum},
      {"Min", LayerKind::kMinimum}, {"Mul", LayerKind::kMultiply}, {"Sub", LayerKind::kSubtract}};
  if (node.data->input_size() != 2) {
    model_.fail(node, "has " + std::to_string(node.data->input_size()) + " inputs; allowed: two");
  }
  Layer layer;
  layer.kind = kinds.at(node.op);
  if (layer.kind == LayerKind::kMultiply && import_hard_swish(node)) {
    return;
  }
  for (const std::size_t position : {0U, 1U}) {
    if (!node.input(position).empty() && !values_.contains(node.input(position)) &&
        constant(node.input(position), &node) != nullptr) {
      return import_with_constant(node, layer, position);
    }
  }
  if (node.op == "Div") {
    model_.fail(&node, node.input(1), "divides by what is no constant");
  }
  import_of_two(node, layer);
}

OnnxValue OnnxImporter::append_scalar(const OnnxNode& node, LayerKind kind, const OnnxValue& in,
                                      double scalar, Activation activation) {
  Layer layer;
  layer.kind = kind;
  layer.inputs = {in.id, kNoTensor};
  layer.output = shape(in);
  layer.activation = activation;
  const OnnxParameters parameters =
      operands(node, {.dimensions = {}, .values = {scalar}}, layer, quantisation(in.id));
  OnnxValue result = in;
  result.id = add_layer(layer, parameters, node.output());
  return result;
}

void OnnxImporter::import_negation(const OnnxNode& node) {
  const OnnxValue in = settled(node, 0);
  const auto [layer, minus_one] = negation_of(in);
  append(node, layer, minus_one, in.dimensions, in.view);
}

std::pair<Layer, OnnxParameters> OnnxImporter::negation_of(const OnnxValue& in) const {
  Layer layer;
  layer.kind = LayerKind::kMultiply;
  layer.inputs = {in.id, kNoTensor};
  layer.output = shape(in);
  const auto channels = static_cast<std::size_t>(layer.output.channels);
  OnnxParameters parameters;
  if (is_quantised()) {
    parameters.quantised.constants.assign(channels, -1);
  } else {
    parameters.floats.constants.assign(channels, -1.0F);
  }
  return {layer, std::move(parameters)};
}

void OnnxImporter::import_with_constant(const OnnxNode& node, Layer layer, std::size_t position) {
  OnnxConstant operand = required_constant(node, position);
  if (!operand.is_float()) {
    model_.fail(&node, node.input(position), "must be float32, or dequantised to it");
  }
  if (layer.kind == LayerKind::kAdd && join_bias(node, 1 - position, operand)) {
    return;
  }
  if (node.op == "Div") {
    if (position == 0 || is_quantised()) {
      model_.fail(node, "only float values may be divided, by constants");
    }
    operand.values = operand.real_values();
    operand.quantisation.reset();
    for (double& value : operand.values) {
      value = 1 / value;
    }
  }
  OnnxValue in = value(node, 1 - position);
  const std::optional<std::size_t> axis = only_axis(operand.dimensions, in.dimensions);
  if (operand.values.empty()) {
    model_.fail(&node, node.input(position), "is a constant without elements");
  }
  if (axis) {
    in = operand.values.size() > 1 ? by_channel(node, in, *axis) : settled(node, 1 - position);
  } else {
    in = with_constant_map(node, settled(node, 1 - position), operand, position);
    layer.has_constant_map = true;
  }
  layer.inputs = {in.id, kNoTensor};
  layer.output = shape(in);
  OnnxParameters parameters = operands(node, operand, layer, quantisation(in.id), position);
  parameters.floats.constants_come_first = parameters.quantised.constants_come_first =
      position == 0;
  append(node, layer, std::move(parameters), in.dimensions, in.view);
}

OnnxValue OnnxImporter::with_constant_map(const OnnxNode& node, const OnnxValue& in,
                                          OnnxConstant& operand, std::size_t position) {
  const std::optional<std::vector<int>> to = broadcast(in.dimensions, operand.dimensions);
  if (!to) {
    model_.fail(&node, node.input(position),
                "is a constant of shape " + dimensions_text(operand.dimensions) +
                    ", which does not go with " + dimensions_text(in.dimensions));
  }
  const std::int64_t count = element_count(*to);
  if (count > kMostConstants) {
    model_.fail(&node, node.input(position),
                "becomes a constant of " + std::to_string(count) + " numbers; allowed: up to " +
                    std::to_string(kMostConstants));
  }
  const OnnxLayout layout =
      element_count(in.dimensions) == count ? OnnxLayout{shape(in), in.view} : usual_layout(*to);
  OnnxValue result = repeated(node, in, *to, layout);
  result.dimensions = *to;
  const std::vector<int> places = result.view.places();
  std::vector<double> placed(places.size());
  std::size_t element = 0;
  for_each_offset(*to, repeated_strides(operand.dimensions, strides_of(operand.dimensions), *to),
                  [&](std::size_t offset) {
                    placed[static_cast<std::size_t>(places[element++])] = operand.values[offset];
                  });
  operand.dimensions = {static_cast<int>(count)};
  operand.values = std::move(placed);
  return result;
}

OnnxParameters OnnxImporter::operands(const OnnxNode& node, const OnnxConstant& operand,
                                      const Layer& layer,
                                      const std::optional<TensorQuantisation>& other,
                                      std::size_t position) {
  const std::size_t count = layer.has_constant_map
                                ? operand.values.size()
                                : static_cast<std::size_t>(layer.output.channels);
  OnnxParameters parameters;
  if (!is_quantised()) {
    for (const double value : operand.real_values()) {
      parameters.floats.constants.push_back(static_cast<float>(value));
    }
    parameters.floats.constants.resize(count, parameters.floats.constants.front());
    return parameters;
  }
  QuantizedLayer& quantised = parameters.quantised;
  if (keeps_scale(layer)) {  // stored values are compared
    quantised.constants_quantisation = *other;
    for (const double value : operand.real_values()) {
      const double steps = std::nearbyint(value / double{other->scale}) + other->zero_point;
      quantised.constants.push_back(
          static_cast<std::int8_t>(std::isnan(steps) ? 0 : std::clamp<double>(steps, -128, 127)));
    }
  } else {
    if (!operand.quantisation || operand.quantisation->scales.size() != 1) {
      model_.fail(&node, node.input(position),
                  "must be int8 or uint8 behind a DequantizeLinear, of one scale");
    }
    const int offset = operand.type == ConstantType::kUint8 ? 128 : 0;
    for (const double value : operand.values) {
      quantised.constants.push_back(
          static_cast<std::int8_t>(std::clamp(static_cast<int>(value) - offset, -128, 127)));
    }
    quantised.constants_quantisation = {operand.quantisation->scales[0],
                                        operand.quantisation->zero_points[0] - offset};
  }
  quantised.constants.resize(count, quantised.constants.front());
  return parameters;
}

OnnxView OnnxImporter::repeated_view(const OnnxNode& node, const OnnxValue& in,
                                     const std::vector<int>& to) const {
  std::vector<int> from(to.size() - in.dimensions.size(), 1);
  from.insert(from.end(), in.dimensions.begin(), in.dimensions.end());
  const auto of_each = in.view.by_dimension(from);
  if (!of_each) {
    model_.fail(node, "reads elements that lie in too many strides");
  }
  std::vector<Digit> digits;
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (from[i] != to[i]) {
      digits.push_back({to[i], 0});
    }
    digits.insert(digits.end(), (*of_each)[i].begin(), (*of_each)[i].end());
  }
  return OnnxView(digits);
}

OnnxValue OnnxImporter::repeated(const OnnxNode& node, const OnnxValue& in,
                                 const std::vector<int>& to, const OnnxLayout& layout) {
  return shape(in) == layout.shape && in.view == layout.view
             ? in
             : add_copy(&node, in, repeated_view(node, in, to), to, layout, node.output());
}

namespace {

// Whether elements lie in a pixel of their own as those of `map` in each of its pixels.
bool is_pixel_for(const TensorShape& pixel, const OnnxView& view, const OnnxLayout& map) {
  const int channels = map.shape.channels;
  if (pixel != TensorShape{1, 1, channels}) {
    return false;
  }
  std::vector<int> places = map.view.places();
  std::transform(places.begin(), places.end(), places.begin(),
                 [channels](int place) { return place % channels; });
  return places == view.places();
}

}  // namespace

void OnnxImporter::import_of_two(const OnnxNode& node, Layer layer) {
  OnnxValue a = settled(node, 0);
  OnnxValue b = settled(node, 1);
  const std::optional<std::vector<int>> to = broadcast(a.dimensions, b.dimensions);
  if (!to) {
    model_.fail(node, "combines tensors of shapes " + dimensions_text(a.dimensions) + " and " +
                          dimensions_text(b.dimensions));
  }
  if (keeps_scale(layer)) {  // stored values are compared
    const auto ahead = quantisation_ahead(node.output());
    const auto scale = ahead ? ahead : quantisation(a.id);
    a = rescaled(node, a, scale);
    b = rescaled(node, b, scale);
  }
  OnnxLayout layout{shape(a), a.view};
  if (element_count(a.dimensions) != element_count(*to)) {
    layout = element_count(b.dimensions) == element_count(*to) ? OnnxLayout{shape(b), b.view}
                                                               : usual_layout(*to);
  }
  for (OnnxValue* const operand : {&a, &b}) {
    if (shape(*operand) == layout.shape && operand->view == layout.view) {
      continue;
    }
    const bool is_second = operand == &b || layer.kind == LayerKind::kMultiply;
    if (is_second && layer.kind != LayerKind::kAdd &&
        is_pixel_for(shape(*operand), repeated_view(node, *operand, *to), layout)) {
      layer.repeats_second = true;
      continue;
    }
    *operand = repeated(node, *operand, *to, layout);
  }
  layer.inputs = {a.id, b.id};
  if (layer.repeats_second && shape(a) != layout.shape) {
    std::swap(layer.inputs[0], layer.inputs[1]);
  }
  layer.output = layout.shape;
  append(node, layer, {}, *to, layout.view);
}

// ----- softmax

void OnnxImporter::import_softmax(const OnnxNode& node) {
  constexpr int kOfOneAxis = 13;  // operator set; before, of all elements from the axis on
  const bool of_one_axis = model_.opset() >= kOfOneAxis;
  OnnxValue in = value(node, 0);
  const std::vector<int> dimensions = in.dimensions;
  std::size_t axis =
      axis_of(model_, node, model_.integer(node, "axis", of_one_axis ? -1 : 1), dimensions.size());
  if (!of_one_axis) {
    const auto begin = dimensions.begin() + static_cast<std::ptrdiff_t>(axis);
    in.dimensions = {static_cast<int>(element_count({dimensions.begin(), begin})),
                     static_cast<int>(element_count({begin, dimensions.end()}))};
    axis = 1;
  }
  in = by_channel(node, in, axis);
  Layer layer;
  layer.kind = LayerKind::kSoftmax;
  layer.inputs = {in.id, kNoTensor};
  layer.output = shape(in);
  append(node, layer, {}, dimensions, in.view);
}

}  // namespace patchnas
