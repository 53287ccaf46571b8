// Nodes that move elements or read them otherwise.

#include <cmath>

#include "deploy/import/dimensions.h"
#include "deploy/onnx/onnx_importer.h"

namespace patchnas {
// ----- views

void OnnxImporter::import_view(const OnnxNode& node) {
  if (node.op == "Dropout" && !node.output(1).empty() && !model_.readers(node.output(1)).empty()) {
    model_.fail(node, "its mask is read, which is not supported");
  }
  OnnxValue in = any_value(node, 0);
  in.dimensions = viewed_dimensions(model_, node, in.dimensions, constants(node));
  pass_on(node, std::move(in));
}

void OnnxImporter::import_shape(const OnnxNode& node) {
  constants_[node.output()] = shape_constant(model_, node, any_value(node, 0).dimensions);
}

void OnnxImporter::import_cast(const OnnxNode& node) {
  if (model_.integer(node, "to", 0) != onnx::TensorProto::FLOAT || any_value(node, 0).stored) {
    model_.fail(node, "casts what is computed; allowed: float32 to itself");
  }
  import_view(node);
}

void OnnxImporter::import_transpose(const OnnxNode& node) {
  OnnxValue in = any_value(node, 0);
  const std::vector<std::size_t> order = transposed_order(model_, node, in.dimensions.size());
  auto of_each = in.view.by_dimension(in.dimensions);
  if (!of_each) {
    in = laid_out(node, value(node, 0), usual_layout(in.dimensions));
    of_each = in.view.by_dimension(in.dimensions);
  }
  OnnxValue result = in;
  std::vector<Digit> digits;
  for (std::size_t i = 0; i < order.size(); ++i) {
    result.dimensions[i] = in.dimensions[order[i]];
    digits.insert(digits.end(), (*of_each)[order[i]].begin(), (*of_each)[order[i]].end());
  }
  result.view = OnnxView(digits);
  pass_on(node, std::move(result));
}

// ----- parts

OnnxValue OnnxImporter::rescaled(const OnnxNode& node, const OnnxValue& in,
                                 const std::optional<TensorQuantisation>& to) {
  if (!is_quantised() || !to || quantisation(in.id) == to) {
    return in;
  }
  Layer layer;
  layer.kind = LayerKind::kLookup;
  layer.function = ValueFunction::kRequantise;
  layer.inputs = {in.id, kNoTensor};
  layer.output = shape(in);
  OnnxValue result = in;
  result.id = add_layer(layer, {}, node.output());
  quantisation(result.id) = to;
  return result;
}

std::vector<int> OnnxImporter::concatenated_dimensions(const OnnxNode& node) const {
  std::vector<int> to = any_value(node, 0).dimensions;
  const std::size_t axis = axis_of(model_, node, model_.integer(node, "axis", 0), to.size());
  std::int64_t extent = 0;
  for (int i = 0; i < node.data->input_size(); ++i) {
    const auto position = static_cast<std::size_t>(i);
    std::vector<int> from = any_value(node, position).dimensions;
    if (from.size() == to.size()) {
      extent += from[axis];
      from[axis] = to[axis];
    }
    if (from != to || extent > kMostElements) {
      model_.fail(&node, node.input(position), "does not fit the shape of the first input");
    }
  }
  to[axis] = static_cast<int>(extent);
  if (element_count(to) > kMostElements) {
    model_.fail(node, "its output has too many elements");
  }
  return to;
}

// Each input is copied to its place, over what the inputs before it have left: the first one's copy
// is the whole output.
void OnnxImporter::import_concatenation(const OnnxNode& node) {
  const std::vector<int> to = concatenated_dimensions(node);
  const std::size_t axis = axis_of(model_, node, model_.integer(node, "axis", 0), to.size());
  // All have one scale: that which is stated of the output, or else the first one's.
  std::optional<TensorQuantisation> scale = quantisation_ahead(node.output());
  if (!scale) {
    scale = quantisation(value(node, 0).id);
  }
  const OnnxLayout layout = usual_layout(to);
  TensorId before = kNoTensor;
  int begin = 0;
  for (int i = 0; i < node.data->input_size(); ++i) {
    const auto position = static_cast<std::size_t>(i);
    const OnnxValue in = rescaled(node, settled(node, position), scale);
    Layer layer = part_layer(node, position, in, to, axis, begin);
    layer.inputs = {in.id, before};
    layer.output = layout.shape;
    begin += in.dimensions[axis];
    if (i + 1 == node.data->input_size()) {
      return append(node, layer, {}, to, layout.view);
    }
    before = add_layer(layer, {}, node.output());
  }
}

Layer OnnxImporter::part_layer(const OnnxNode& node, std::size_t position, const OnnxValue& in,
                               const std::vector<int>& to, std::size_t axis, int begin) const {
  Layer layer;
  const OnnxLayout alone = usual_layout(in.dimensions);
  if (axis == usual_channel_axis(to) && shape(in) == alone.shape && in.view == alone.view) {
    layer.kind = LayerKind::kCopyChannels;
    layer.channels = {.from = 0, .to = begin, .count = in.dimensions[axis]};
    return layer;
  }
  std::vector<Digit> places = digit_of_each(node, usual_layout(to).view, to);
  places[axis].extent = in.dimensions[axis];
  const std::optional<StridedCopy> copy = copy_between(in.view, OnnxView(places));
  if (!copy) {
    model_.fail(&node, node.input(position), "lies in too many strides to be concatenated");
  }
  layer.kind = LayerKind::kCopy;
  layer.copy = *copy;
  layer.copy.to = begin * places[axis].stride;
  return layer;
}

void OnnxImporter::import_split(const OnnxNode& node) {
  const OnnxValue in = settled(node, 0);
  const std::size_t axis =
      axis_of(model_, node, model_.integer(node, "axis", 0), in.dimensions.size());
  const auto outputs = static_cast<std::int64_t>(node.data->output_size());
  std::vector<std::int64_t> sizes;
  if (const auto stated = integers_of(model_, node, constants(node), 1, "split")) {
    sizes = *stated;
  } else {
    const std::int64_t each = (in.dimensions[axis] + outputs - 1) / outputs;
    sizes.assign(static_cast<std::size_t>(outputs), each);
    sizes.back() = in.dimensions[axis] - each * (outputs - 1);
  }
  OnnxSlice slice{.begins = std::vector<int>(in.dimensions.size(), 0),
                  .counts = in.dimensions,
                  .steps = std::vector<int>(in.dimensions.size(), 1)};
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] < 1 || begin + sizes[i] > in.dimensions[axis] ||
        sizes.size() != static_cast<std::size_t>(outputs)) {
      break;
    }
    slice.begins[axis] = static_cast<int>(begin);
    slice.counts[axis] = static_cast<int>(sizes[i]);
    begin += sizes[i];
    const std::vector<const OnnxNode*>& readers = model_.readers(node.output(i));
    const bool is_read = model_.is_output(node.output(i)) ||
                         std::any_of(readers.begin(), readers.end(), [&](const OnnxNode* reader) {
                           return needed_.contains(reader->index);
                         });
    if (is_read && !node.output(i).empty()) {
      append_slice(node, i, in, slice);
    }
  }
  if (begin != in.dimensions[axis]) {
    model_.fail(node, "its outputs are not all of its input");
  }
}

void OnnxImporter::import_slice(const OnnxNode& node) {
  const OnnxValue in = settled(node, 0);
  append_slice(node, 0, in, slice_of(model_, node, in.dimensions, constants(node)));
}

void OnnxImporter::append_slice(const OnnxNode& node, std::size_t output, const OnnxValue& found,
                                const OnnxSlice& slice) {
  const std::vector<int>& from = found.dimensions;
  // All of the input but some channels, side by side.
  std::size_t axis = 0;
  int parts = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (slice.counts[i] != from[i]) {
      axis = i;
      ++parts;
    }
  }
  Layer layer;
  if (parts == 1 && slice.steps[axis] == 1 && has_channels(found, axis)) {
    layer.kind = LayerKind::kCopyChannels;
    layer.inputs = {found.id, kNoTensor};
    layer.output = shape(found);
    layer.output.channels = slice.counts[axis];
    layer.channels = {.from = slice.begins[axis], .to = 0, .count = slice.counts[axis]};
    return append_output(node, output, layer, {}, slice.counts,
                         with_channels(found, axis, slice.counts[axis]));
  }
  const OnnxValue in = with_simple_axes(node, found);
  std::vector<Digit> digits = digit_of_each(node, in.view, from);
  int begin = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    begin += slice.begins[i] * digits[i].stride;
    digits[i] = {slice.counts[i], digits[i].stride * slice.steps[i]};
  }
  const OnnxLayout layout = usual_layout(slice.counts);
  const std::optional<StridedCopy> copy = copy_between(OnnxView(digits), layout.view);
  if (!copy) {
    model_.fail(node, "takes elements that lie in more than three strides");
  }
  layer.kind = LayerKind::kCopy;
  layer.inputs = {in.id, kNoTensor};
  layer.output = layout.shape;
  layer.copy = *copy;
  layer.copy.from = begin;
  append_output(node, output, layer, {}, slice.counts, layout.view);
}

// ----- margins

void OnnxImporter::import_pad(const OnnxNode& node) {
  if (const std::string mode = model_.text(node, "mode", "constant"); mode != "constant") {
    model_.fail(node, "pads by mode '" + mode + "'; allowed: constant");
  }
  const std::vector<int> from = any_value(node, 0).dimensions;
  const auto pads = integers_of(model_, node, constants(node), 1, "pads");
  const auto axes = integer_input(model_, node, constants(node), 3);
  const std::size_t count = axes ? axes->size() : from.size();
  if (!pads || pads->size() != 2 * count ||
      std::any_of(pads->begin(), pads->end(),
                  [](std::int64_t pad) { return pad < 0 || pad > kLargestExtent; })) {
    model_.fail(node, "needs two pads for each axis, from 0 to " + std::to_string(kLargestExtent));
  }
  std::vector<int> before(from.size(), 0);
  std::vector<int> behind = before;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t axis = axes ? axis_of(model_, node, (*axes)[i], from.size()) : i;
    before[axis] = static_cast<int>((*pads)[i]);
    behind[axis] = static_cast<int>((*pads)[count + i]);
  }
  double fill = model_.number(node, "value", 0);
  if (node.has_input(2)) {
    const std::vector<double> values = required_constant(node, 2).real_values();
    fill = values.empty() ? 0 : values.front();
  }
  const std::vector<const OnnxNode*>& readers = model_.readers(node.output());
  const bool is_of_convolutions =
      fill == 0 && from.size() == 4 && before[0] + behind[0] + before[1] + behind[1] == 0 &&
      !model_.is_output(node.output()) &&
      std::all_of(readers.begin(), readers.end(), [&](const OnnxNode* reader) {
        return reader->op == "Conv" && reader->input(0) == node.output() &&
               model_.text(*reader, "auto_pad", "NOTSET") == "NOTSET";
      });
  if (is_of_convolutions) {
    margins_[node.output()] = {before[2], before[3], behind[2], behind[3]};
    return pass_on(node, any_value(node, 0));
  }
  const OnnxValue made = with_margins(node, value(node, 0), before, behind, fill);
  names_[made.id] = node.output();
  pass_on(node, made);
}

OnnxValue OnnxImporter::with_margins(const OnnxNode& node, const OnnxValue& found,
                                     const std::vector<int>& before, const std::vector<int>& behind,
                                     double fill) {
  OnnxValue in = laid_out(node, found, usual_layout(found.dimensions));
  std::vector<int> to = in.dimensions;
  std::int64_t elements = 1;
  for (std::size_t i = 0; i < to.size(); ++i) {
    to[i] += before[i] + behind[i];
    if ((elements *= to[i]) > kMostElements) {
      model_.fail(node, "makes too many elements");
    }
  }
  const OnnxLayout layout = usual_layout(to);
  std::vector<Digit> digits = digit_of_each(node, layout.view, to);
  int begin = 0;
  for (std::size_t i = 0; i < to.size(); ++i) {
    begin += before[i] * digits[i].stride;
    digits[i].extent = in.dimensions[i];
  }
  const std::optional<StridedCopy> copy = copy_between(in.view, OnnxView(digits));
  if (!copy) {
    model_.fail(node, "pads elements that lie in more than three strides");
  }
  Layer layer;
  layer.kind = LayerKind::kCopy;
  layer.inputs = {in.id, kNoTensor};
  layer.output = layout.shape;
  layer.copy = *copy;
  layer.copy.to = begin;
  OnnxParameters parameters;
  parameters.floats.fill = static_cast<float>(fill);
  if (is_quantised()) {
    const TensorQuantisation& q = *quantisation(in.id);
    const double steps = std::nearbyint(fill / double{q.scale}) + q.zero_point;
    parameters.quantised.fill =
        static_cast<std::int8_t>(std::isnan(steps) ? -128 : std::clamp<double>(steps, -128, 127));
  }
  const TensorId id = add_layer(layer, std::move(parameters), node.output());
  return {.id = id, .dimensions = to, .view = layout.view};
}

}  // namespace patchnas
