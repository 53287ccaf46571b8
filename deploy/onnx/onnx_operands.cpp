// Reading the operands of a node, and appending what it computes.

#include "deploy/import/dimensions.h"
#include "deploy/onnx/onnx_importer.h"
#include "deploy/quantise/requantisation.h"

namespace patchnas {

// ----- operands

OnnxConstants OnnxImporter::constants(const OnnxNode& node) {
  OnnxConstants result;
  for (const std::string& input : node.data->input()) {
    result.push_back(input.empty() ? nullptr : constant(input, &node));
  }
  return result;
}

const OnnxConstant* OnnxImporter::constant(const std::string& tensor, const OnnxNode* at) {
  if (const auto found = constants_.find(tensor); found != constants_.end()) {
    return &found->second;
  }
  const onnx::TensorProto* const data = model_.initialiser(tensor);
  return data == nullptr ? nullptr : &(constants_[tensor] = model_.constant(*data, tensor, at));
}

const OnnxConstant& OnnxImporter::required_constant(const OnnxNode& node, std::size_t position) {
  const std::string& tensor = node.input(position);
  if (unknown_.contains(tensor)) {
    throw UnknownInput{};
  }
  const OnnxConstant* const found = tensor.empty() ? nullptr : constant(tensor, &node);
  if (found == nullptr) {
    model_.fail(&node, tensor, "input " + std::to_string(position) + " must be a constant");
  }
  return *found;
}

const OnnxValue& OnnxImporter::any_value(const OnnxNode& node, std::size_t position) const {
  const std::string& tensor = node.input(position);
  if (unknown_.contains(tensor)) {
    throw UnknownInput{};
  }
  const auto found = values_.find(tensor);
  if (found == values_.end()) {
    const bool is_constant = constants_.contains(tensor) || model_.initialiser(tensor) != nullptr;
    model_.fail(&node, tensor,
                "input " + std::to_string(position) +
                    (tensor.empty() ? " is absent"
                     : is_constant  ? " is a constant, which is not supported"
                                    : " is not computed by an earlier node"));
  }
  return found->second;
}

OnnxValue OnnxImporter::value(const OnnxNode& node, std::size_t position) {
  OnnxValue result = any_value(node, position);
  if (result.stored) {
    model_.fail(&node, node.input(position),
                "holds integers, which only a DequantizeLinear may read");
  }
  if (is_quantised() && (result.is_users_float || !quantisation(result.id))) {
    model_.fail(
        &node, node.input(position),
        "has no scale; a QuantizeLinear and a DequantizeLinear must stand before this node");
  }
  if (!is_undecided(result)) {
    result.view = view_in_layers(&node, result);
  }
  return result;
}

OnnxValue OnnxImporter::settled(const OnnxNode& node, std::size_t position) {
  OnnxValue result = value(node, position);
  if (is_undecided(result)) {
    decide_as_declared(result.id);
    result = value(node, position);
  }
  return result;
}

OnnxValue OnnxImporter::map(const OnnxNode& node, std::size_t position) {
  const OnnxValue in = value(node, position);
  const std::vector<int>& from = in.dimensions;
  if ((from.size() != 3 && from.size() != 4) || from[0] != 1) {
    model_.fail(&node, node.input(position),
                "has the shape " + dimensions_text(from) +
                    "; allowed: [1, channels, rows, columns] and [1, channels, columns]");
  }
  return laid_out(node, in, usual_layout(from));
}

// ----- layouts

void OnnxImporter::decide_input(const OnnxValue& first_reading, const OnnxLayout& layout) {
  InputLayout& input = input_layouts_[static_cast<std::size_t>(first_reading.id)];
  OnnxLayout decided = layout;
  input = {.is_decided = true, .from = first_reading.view, .to = layout.view};
  if (!moved(first_reading.view, input.from, input.to)) {
    decided = plain_layout(first_reading.dimensions);
    input.to = input.from = decided.view;
  }
  (first_reading.id == kImage
       ? network_.input
       : network_.layers[static_cast<std::size_t>(first_reading.id) - 1].output) = decided.shape;
}

void OnnxImporter::decide_as_declared(TensorId input) {
  const OnnxDeclaration& declared = model_.inputs()[static_cast<std::size_t>(input)];
  const OnnxValue& whole = values_.at(declared.name);
  decide_input(whole, has_channels_last(declared.name) ? plain_layout(whole.dimensions)
                                                       : usual_layout(whole.dimensions));
}

bool OnnxImporter::has_channels_last(const std::string& tensor, int depth) const {
  static const std::unordered_set<std::string> by_element = {
      "Add", "Cast", "DequantizeLinear", "Div", "Identity", "Mul", "QuantizeLinear", "Sub"};
  constexpr int kDeepest = 8;
  const std::vector<const OnnxNode*>& readers = model_.readers(tensor);
  return depth < kDeepest &&
         std::any_of(readers.begin(), readers.end(), [&](const OnnxNode* reader) {
           return (reader->op == "Transpose" &&
                   model_.integers(*reader, "perm") == std::vector<std::int64_t>{0, 3, 1, 2}) ||
                  (by_element.contains(reader->op) &&
                   has_channels_last(reader->output(), depth + 1));
         });
}

OnnxView OnnxImporter::view_in_layers(const OnnxNode* at, const OnnxValue& in) const {
  if (in.id >= static_cast<TensorId>(input_layouts_.size())) {
    return in.view;
  }
  const InputLayout& input = input_layouts_[static_cast<std::size_t>(in.id)];
  const std::optional<OnnxView> result = moved(in.view, input.from, input.to);
  if (!result) {
    model_.fail(at, "", "reads the input in a shape that does not fit that of an earlier node");
  }
  return *result;
}

OnnxValue OnnxImporter::laid_out(const OnnxNode& node, const OnnxValue& in,
                                 const OnnxLayout& layout) {
  OnnxValue result = in;
  if (is_undecided(in)) {
    // A map, or the order of the file, whatever the axes are; but not with one taken apart, so that
    // channels stay in their order.
    const bool is_usual =
        layout == usual_layout(in.dimensions) || layout == plain_layout(in.dimensions);
    if (is_usual && has_simple_axes(in)) {
      decide_input(in, layout);
    } else {
      decide_as_declared(in.id);
    }
    result.view = view_in_layers(&node, in);
  }
  if (shape(result) == layout.shape && result.view == layout.view) {
    return result;
  }
  return add_copy(&node, result, result.view, result.dimensions, layout, node.output());
}

bool OnnxImporter::has_channels(const OnnxValue& in, std::size_t axis) const {
  const auto digits = in.view.by_dimension(in.dimensions);
  if (!digits || in.dimensions.empty() || shape(in).channels != in.dimensions[axis]) {
    return false;
  }
  return (*digits)[axis].empty() || (*digits)[axis] == std::vector<Digit>{{in.dimensions[axis], 1}};
}

OnnxValue OnnxImporter::by_channel(const OnnxNode& node, const OnnxValue& in, std::size_t axis) {
  return !is_undecided(in) && has_channels(in, axis)
             ? in
             : laid_out(node, in, layout_by(in.dimensions, axis));
}

OnnxView OnnxImporter::with_channels(const OnnxValue& in, std::size_t axis, int count) const {
  std::vector<Digit> digits;
  const auto of_each = in.view.by_dimension(in.dimensions);
  for (std::size_t i = 0; i < in.dimensions.size(); ++i) {
    if (i == axis) {
      digits.push_back({count, 1});
      continue;
    }
    for (const Digit& digit : (*of_each)[i]) {
      digits.push_back({digit.extent, digit.stride / in.dimensions[axis] * count});
    }
  }
  return OnnxView(digits);
}

bool OnnxImporter::has_simple_axes(const OnnxValue& in) {
  const auto digits = in.view.by_dimension(in.dimensions);
  return digits && std::all_of(digits->begin(), digits->end(),
                               [](const auto& digit) { return digit.size() <= 1; });
}

OnnxValue OnnxImporter::with_simple_axes(const OnnxNode& node, const OnnxValue& in) {
  return has_simple_axes(in) ? in : laid_out(node, in, usual_layout(in.dimensions));
}

std::vector<Digit> OnnxImporter::digit_of_each(const OnnxNode& node, const OnnxView& view,
                                               const std::vector<int>& dimensions) const {
  const auto digits = view.by_dimension(dimensions);
  std::vector<Digit> result;
  for (std::size_t i = 0; digits && i < digits->size(); ++i) {
    if ((*digits)[i].size() > 1) {
      break;
    }
    result.push_back((*digits)[i].empty() ? Digit{1, 0} : (*digits)[i][0]);
  }
  if (result.size() != dimensions.size()) {
    model_.fail(node, "reads elements that lie in too many strides");
  }
  return result;
}

OnnxValue OnnxImporter::add_copy(const OnnxNode* at, const OnnxValue& in, const OnnxView& from,
                                 const std::vector<int>& dimensions, const OnnxLayout& layout,
                                 const std::string& name) {
  Layer layer;
  layer.kind = LayerKind::kCopy;
  layer.inputs = {in.id, kNoTensor};
  layer.output = layout.shape;
  std::optional<StridedCopy> copy = copy_between(from, layout.view);
  if (!copy) {
    // In two steps, by the file's order.
    const OnnxLayout plain = plain_layout(dimensions);
    const std::optional<StridedCopy> first = copy_between(from, plain.view);
    copy = copy_between(plain.view, layout.view);
    if (!first || !copy) {
      model_.fail(at, at == nullptr ? name : "", "moves elements in more than three strides");
    }
    layer.output = plain.shape;
    layer.copy = *first;
    layer.inputs[0] = add_layer(layer, {}, name);
    layer.output = layout.shape;
  }
  layer.copy = *copy;
  const TensorId id = add_layer(layer, {}, name);
  return {.id = id, .dimensions = dimensions, .view = layout.view};
}

// ----- what is computed

TensorId OnnxImporter::add_layer(const Layer& layer, OnnxParameters parameters,
                                 const std::string& name) {
  quantisations_.push_back(implied_quantisation(layer));
  network_.layers.push_back(layer);
  network_.names.push_back(printable(name));
  float_layers_.push_back(std::move(parameters.floats));
  quantised_layers_.push_back(std::move(parameters.quantised));
  return network_.layer_count();
}

std::optional<TensorQuantisation> OnnxImporter::implied_quantisation(const Layer& layer) const {
  return keeps_scale(layer) ? quantisations_[static_cast<std::size_t>(layer.inputs[0])]
                            : fixed_output(layer);
}

void OnnxImporter::append_output(const OnnxNode& node, std::size_t position, const Layer& layer,
                                 OnnxParameters parameters, const std::vector<int>& dimensions,
                                 const OnnxView& view) {
  if (layer.output.elements() < 1 || layer.output.elements() > kMostElements) {
    model_.fail(&node, node.output(position),
                "has the shape " + dimensions_text(dimensions) + "; allowed: up to " +
                    std::to_string(kMostElements) + " elements");
  }
  const std::string& name = node.output(position);
  const TensorId id = add_layer(layer, std::move(parameters), name);
  values_[name] = {.id = id, .dimensions = dimensions, .view = view};
  names_[id] = name;
}

void OnnxImporter::append_map(const OnnxNode& node, const Layer& layer, OnnxParameters parameters,
                              const OnnxValue& in) {
  std::vector<int> dimensions{1, layer.output.channels};
  if (in.dimensions.size() == 4) {
    dimensions.push_back(layer.output.height);
  }
  dimensions.push_back(layer.output.width);
  append(node, layer, std::move(parameters), dimensions, usual_layout(dimensions).view);
}

void OnnxImporter::pass_on(const OnnxNode& node, OnnxValue value) {
  values_[node.output()] = std::move(value);
}

// ----- what joins the layer before it

bool OnnxImporter::is_only_reader(const OnnxNode& node, const std::string& tensor) const {
  const std::vector<const OnnxNode*>& readers = model_.readers(tensor);
  return !model_.is_output(tensor) &&
         std::all_of(readers.begin(), readers.end(),
                     [&](const OnnxNode* reader) {
                       return reader->index == node.index || !needed_.contains(reader->index);
                     }) &&
         std::count_if(readers.begin(), readers.end(),
                       [&](const OnnxNode* reader) { return reader->index == node.index; }) == 1;
}

Layer* OnnxImporter::open_layer(const OnnxNode& node, std::size_t position) {
  const std::string& tensor = node.input(position);
  const TensorId id = any_value(node, position).id;
  const auto name = names_.find(id);
  if (name == names_.end() || name->second != tensor || !is_only_reader(node, tensor) ||
      (is_quantised() && quantisation(id))) {
    return nullptr;
  }
  Layer& layer = network_.layers[static_cast<std::size_t>(id) - 1];
  const bool can_join = layer.has_weights() || layer.kind == LayerKind::kAdd ||
                        layer.kind == LayerKind::kSubtract || layer.kind == LayerKind::kMultiply;
  return can_join && layer.activation == Activation::kNone ? &layer : nullptr;
}

void OnnxImporter::join(const OnnxNode& node, std::size_t position) {
  const OnnxValue value = any_value(node, position);
  names_[value.id] = node.output();
  network_.names[static_cast<std::size_t>(value.id) - 1] = printable(node.output());
  values_[node.output()] = value;
}

}  // namespace patchnas
