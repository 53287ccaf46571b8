// Operators that compute element by element, and those that move elements or interpolate between
// them.

#include <algorithm>

#include "arch/base/error.h"
#include "deploy/tflite/tflite_importer.h"

namespace patchnas {

using tflite::BuiltinOperator;

// ----- one value at a time

void TfliteImporter::import_function(const FileOperator& op) {
  static const std::unordered_map<BuiltinOperator, ValueFunction> functions = {
      {BuiltinOperator::QUANTIZE, ValueFunction::kRequantise},
      {BuiltinOperator::RELU, ValueFunction::kRelu},
      {BuiltinOperator::RELU6, ValueFunction::kRelu6},
      {BuiltinOperator::LEAKY_RELU, ValueFunction::kLeakyRelu},
      {BuiltinOperator::LOGISTIC, ValueFunction::kLogistic},
      {BuiltinOperator::TANH, ValueFunction::kTanh},
      {BuiltinOperator::HARD_SWISH, ValueFunction::kHardSwish}};
  const FileValue& found = value(op, 0);
  const FileValue& in = found.has_margins() ? plain(op, 0) : found;
  Layer layer;
  layer.kind = LayerKind::kLookup;
  layer.inputs = {in.id, kNoTensor};
  layer.output = in.shape;
  layer.function = functions.at(op.code);
  if (layer.function == ValueFunction::kRequantise &&
      model_.activation_quantisation(op.inputs[0], &op) ==
          model_.activation_quantisation(op.outputs[0], &op)) {
    return pass_on(op, in);
  }
  LayerValues values;
  if (layer.function == ValueFunction::kLeakyRelu) {
    values.int8.leaky_slope = values.real.leaky_slope =
        options<tflite::LeakyReluOptions>(op).alpha();
  }
  append_like(op, layer, std::move(values), in);
}

// ----- two values at a time

tflite::ActivationFunctionType TfliteImporter::fused_function(const FileOperator& op) const {
  switch (op.code) {
    case BuiltinOperator::ADD:
      return options<tflite::AddOptions>(op).fused_activation_function();
    case BuiltinOperator::SUB:
      return options<tflite::SubOptions>(op).fused_activation_function();
    default:
      return options<tflite::MulOptions>(op).fused_activation_function();
  }
}

void TfliteImporter::import_combination(const FileOperator& op) {
  Layer layer;
  layer.kind = op.code == BuiltinOperator::ADD   ? LayerKind::kAdd
               : op.code == BuiltinOperator::SUB ? LayerKind::kSubtract
                                                 : LayerKind::kMultiply;
  layer.activation = activation_function(op, fused_function(op));
  for (const std::size_t position : {0U, 1U}) {
    if (is_constant_operand(op, position)) {
      return import_with_constant(op, layer, position);
    }
  }
  import_of_two(op, layer);
}

void TfliteImporter::import_with_constant(const FileOperator& op, Layer layer,
                                          std::size_t constant) {
  const FileTensor tensor = op.inputs[constant];
  const FileValue& in = elements_by_channel(op, 1 - constant);
  const int channels = in.shape.channels;
  const std::vector<int> dimensions = model_.dimensions(tensor, &op);
  const std::int64_t count = element_count(dimensions);
  const bool is_by_channel =
      count == 1 || (count == channels && !dimensions.empty() && dimensions.back() == channels);
  if (!in.ends_in_channels() || !is_by_channel || dimensions.size() > in.dimensions().size()) {
    model_.fail(&op, tensor,
                "is a constant of " + std::to_string(count) +
                    " numbers; allowed: one, or one for each of the input's " +
                    std::to_string(channels) + " channels");
  }
  layer.inputs = {in.id, kNoTensor};
  layer.output = in.shape;
  append_like(op, layer, constants(op, constant, channels), in);
}

LayerValues TfliteImporter::constants(const FileOperator& op, std::size_t position,
                                      int channels) const {
  const FileTensor tensor = op.inputs[position];
  const auto repeat = [&](auto& values) {
    values.resize(static_cast<std::size_t>(channels), values.front());
  };
  model_.constant(tensor, type_, op);
  LayerValues values;
  values.int8.constants_come_first = values.real.constants_come_first = position == 0;
  if (take_ == Take::kInt8) {
    values.int8.constants = model_.int8_data(tensor, op);
    values.int8.constants_quantisation = model_.activation_quantisation(tensor, &op);
    repeat(values.int8.constants);
  } else if (take_ == Take::kFloat) {
    values.real.constants = model_.float_data(tensor, op);
    repeat(values.real.constants);
  }
  return values;
}

void TfliteImporter::import_of_two(const FileOperator& op, Layer layer) {
  FileValue a = elements(op, 0);
  FileValue b = elements(op, 1);
  if (a.shape != b.shape || element_count(a.dimensions()) != element_count(b.dimensions())) {
    const std::vector<int> to = model_.dimensions(op.outputs[0], &op);
    a = repeated(op, 0, to, op.inputs[0]);
    b = repeated(op, 1, to, op.inputs[1]);
  }
  layer.inputs = {a.id, b.id};
  layer.output = a.shape;
  // Dimensions of 1 in front may be absent from either.
  append_like(op, layer, {}, a.dimensions().size() < b.dimensions().size() ? b : a);
}

FileValue TfliteImporter::repeated(const FileOperator& op, std::size_t position,
                                   const std::vector<int>& to, FileTensor named_after) {
  const FileValue in = plain(op, position);
  std::vector<int> from = in.dimensions();
  if (from == to) {
    return in;
  }
  if (from.size() > to.size()) {
    model_.fail(op, "its output has fewer dimensions than an input");
  }
  from.insert(from.begin(), to.size() - from.size(), 1);
  std::vector<int> strides = strides_of(from);
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (from[i] != to[i] && from[i] != 1) {
      model_.fail(&op, op.inputs[position],
                  "cannot be repeated along dimension " + std::to_string(i) +
                      ", where it is neither 1 nor as long as the output");
    }
    strides[i] = from[i] == to[i] ? strides[i] : 0;
  }
  return add_copy(op, in, moved(op, to, strides, strides_of(to)), to, named_after);
}

StridedCopy TfliteImporter::moved(const FileOperator& op, const std::vector<int>& counts,
                                  const std::vector<int>& from_strides,
                                  const std::vector<int>& to_strides) const {
  const std::optional<StridedCopy> copy = strided_copy(counts, from_strides, to_strides);
  if (!copy) {
    model_.fail(op, "moves elements along more than three dimensions");
  }
  return *copy;
}

void TfliteImporter::import_repetition(const FileOperator& op) {
  const FileTensor output = op.outputs[0];
  pass_on_bytes(op, repeated(op, 0, model_.dimensions(output, &op), output));
}

// ----- other places

void TfliteImporter::import_resize(const FileOperator& op) {
  const FileValue& found = map(op);
  const FileValue& in = found.has_margins() || found.is_turned() ? plain(op, 0) : found;
  Layer layer;
  layer.kind = LayerKind::kResize;
  layer.inputs = {in.id, kNoTensor};
  layer.resizing.is_bilinear = op.code == BuiltinOperator::RESIZE_BILINEAR;
  if (layer.resizing.is_bilinear) {
    const auto& o = options<tflite::ResizeBilinearOptions>(op);
    layer.resizing.align_corners = o.align_corners();
    layer.resizing.half_pixel_centers = o.half_pixel_centers();
  } else {
    const auto& o = options<tflite::ResizeNearestNeighborOptions>(op);
    layer.resizing.align_corners = o.align_corners();
    layer.resizing.half_pixel_centers = o.half_pixel_centers();
  }
  const std::vector<std::int32_t> size = model_.int32_data(op.input(1), op);
  if (size.size() != 2 || size[0] < 1 || size[1] < 1) {
    model_.fail(&op, op.input(1), "must be two numbers above 0, rows and columns");
  }
  layer.output = {size[0], size[1], in.shape.channels};
  append_map(op, layer, {}, in);
}

// Each input is copied to its place, over what the inputs before it have left: the first one's copy
// is the whole output.
void TfliteImporter::import_concatenation(const FileOperator& op) {
  const auto& o = options<tflite::ConcatenationOptions>(op);
  if (o.fused_activation_function() != tflite::ActivationFunctionType::NONE) {
    model_.fail(op, "has a fused activation function, which is not supported");
  }
  const std::vector<int> to = model_.dimensions(op.outputs[0], &op);
  const std::size_t axis = axis_of(op, o.axis(), to.size());
  const bool by_channel = axis + 1 == to.size() && to.size() > 1;
  const std::vector<int> to_strides = strides_of(to);
  TensorId before = kNoTensor;
  int begin = 0;
  for (std::size_t i = 0; i < op.inputs.size(); ++i) {
    const FileValue& in = plain(op, i);
    const std::vector<int> from = in.dimensions();
    std::vector<int> expected = to;
    expected[axis] = from.size() == to.size() ? from[axis] : 0;
    if (from != expected || begin > to[axis] - from[axis]) {
      model_.fail(&op, op.inputs[i], "does not fit the output's shape");
    }
    Layer layer;
    layer.inputs = {in.id, before};
    layer.output = shape_of(to);
    if (by_channel) {
      layer.kind = LayerKind::kCopyChannels;
      layer.channels = {.from = 0, .to = begin, .count = from[axis]};
    } else {
      layer.kind = LayerKind::kCopy;
      layer.copy = moved(op, from, strides_of(from), to_strides);
      layer.copy.to = begin * to_strides[axis];
    }
    begin += from[axis];
    before = result_.network.layer_count() + 1;
    if (in.id == kImage) {
      read_image_as(op, in);
    }
    if (i + 1 < op.inputs.size()) {
      add_layer(layer, {}, op.outputs[0], activation_quantisation(op.outputs[0], &op));
      continue;
    }
    if (begin != to[axis]) {
      model_.fail(op, "its inputs do not fill its output");
    }
    append(op, layer, {}, reread(next_value(layer.output), to));
  }
}

void TfliteImporter::import_split(const FileOperator& op) {
  const bool has_sizes = op.code == BuiltinOperator::SPLIT_V;
  const std::size_t position = has_sizes ? 0 : 1;
  const std::vector<std::int32_t> axes = model_.int32_data(op.input(has_sizes ? 2 : 0), op);
  const FileValue& in = plain(op, position);
  const std::vector<int> from = in.dimensions();
  const std::size_t axis = axis_of(op, axes.size() == 1 ? axes[0] : -1, from.size());
  Slice slice{.begins = std::vector<int>(from.size(), 0),
              .counts = from,
              .steps = std::vector<int>(from.size(), 1)};
  for (std::size_t i = 0; i < op.outputs.size(); ++i) {
    const std::vector<int> part = model_.dimensions(op.outputs[i], &op);
    slice.counts[axis] = part.size() == from.size() ? part[axis] : 0;
    if (part != slice.counts || slice.begins[axis] > from[axis] - part[axis]) {
      model_.fail(&op, op.outputs[i], "is no part of the input");
    }
    if (is_read(op.outputs[i])) {
      append_slice(op, i, in, slice);
    }
    slice.begins[axis] += part[axis];
  }
  if (slice.begins[axis] != from[axis]) {
    model_.fail(op, "its outputs are not all of its input");
  }
}

void TfliteImporter::import_slice(const FileOperator& op) {
  const FileValue& in = plain(op, 0);
  append_slice(op, 0, in, read_slice(op, in.dimensions()));
}

TfliteImporter::Slice TfliteImporter::read_slice(const FileOperator& op,
                                                 const std::vector<int>& from) const {
  const std::vector<std::int32_t> begins = model_.int32_data(op.input(1), op);
  const std::vector<std::int32_t> ends = model_.int32_data(op.input(2), op);
  const bool is_strided = op.code == BuiltinOperator::STRIDED_SLICE;
  const std::vector<std::int32_t> steps =
      is_strided ? model_.int32_data(op.input(3), op) : std::vector<std::int32_t>(from.size(), 1);
  if (from.empty() || begins.size() != from.size() || ends.size() != from.size() ||
      steps.size() != from.size()) {
    model_.fail(op, "needs one number for each dimension of its input, and at least one");
  }
  int begin_mask = 0;
  int end_mask = 0;
  int shrink_mask = 0;
  if (is_strided) {
    const auto& o = options<tflite::StridedSliceOptions>(op);
    if (o.ellipsis_mask() != 0 || o.new_axis_mask() != 0 || o.offset()) {
      model_.fail(op, "has an ellipsis, a new axis or offsets, which are not supported");
    }
    begin_mask = o.begin_mask();
    end_mask = o.end_mask();
    shrink_mask = o.shrink_axis_mask();
  }
  Slice slice;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto is_set = [i](int mask) { return (mask >> i & 1) != 0; };
    const auto from_front = [&](std::int64_t at) {
      return std::clamp<std::int64_t>(at < 0 ? at + from[i] : at, 0, from[i]);
    };
    const std::int64_t begin = is_set(begin_mask) ? 0 : from_front(begins[i]);
    std::int64_t end = is_strided    ? from_front(ends[i])
                       : ends[i] < 0 ? from[i]
                                     : from_front(begin + ends[i]);
    end = is_set(shrink_mask) ? begin + 1 : is_set(end_mask) ? from[i] : end;
    if (steps[i] < 1 || begin >= end || end > from[i]) {
      model_.fail(op, "takes nothing of dimension " + std::to_string(i) + ", or in reverse");
    }
    slice.begins.push_back(static_cast<int>(begin));
    slice.counts.push_back(static_cast<int>((end - begin - 1) / steps[i] + 1));
    slice.steps.push_back(slice.counts.back() == 1 ? 1 : steps[i]);
  }
  return slice;
}

void TfliteImporter::append_slice(const FileOperator& op, std::size_t output, const FileValue& in,
                                  const Slice& slice) {
  const std::vector<int> from = in.dimensions();
  const std::vector<int> to = model_.dimensions(op.outputs[output], &op);
  if (element_count(to) != element_count(slice.counts)) {
    model_.fail(&op, op.outputs[output], "its shape does not follow from its input");
  }
  Layer layer;
  layer.inputs = {in.id, kNoTensor};
  layer.output = shape_of(to);
  const std::size_t last = from.size() - 1;
  const bool by_channel = std::equal(from.begin(), from.end() - 1, slice.counts.begin()) &&
                          slice.steps[last] == 1 && to == slice.counts;
  if (by_channel) {
    layer.kind = LayerKind::kCopyChannels;
    layer.channels = {.from = slice.begins[last], .to = 0, .count = slice.counts[last]};
  } else {
    layer.kind = LayerKind::kCopy;
    std::vector<int> strides = strides_of(from);
    int begin = 0;
    for (std::size_t i = 0; i < from.size(); ++i) {
      begin += slice.begins[i] * strides[i];
      strides[i] *= slice.steps[i];
    }
    layer.copy = moved(op, slice.counts, strides, strides_of(slice.counts));
    layer.copy.from = begin;
  }
  append_output(op, output, layer, {}, reread(next_value(layer.output), to));
}

void TfliteImporter::append_padded(const FileOperator& op, const FilePadding& padding) {
  const FileValue& in = plain(op, 0);
  const std::vector<int> from = in.dimensions();
  std::vector<int> to = from;
  for (std::size_t i = 0; i < to.size(); ++i) {
    to[i] += padding.before[i] + padding.after[i];
  }
  if (model_.dimensions(op.outputs[0], &op) != to) {
    model_.fail(op, "its output's shape does not follow from its inputs");
  }
  const std::vector<int> to_strides = strides_of(to);
  Layer layer;
  layer.kind = LayerKind::kCopy;
  layer.inputs = {in.id, kNoTensor};
  layer.output = shape_of(to);
  layer.copy = moved(op, from, strides_of(from), to_strides);
  for (std::size_t i = 0; i < to.size(); ++i) {
    layer.copy.to += padding.before[i] * to_strides[i];
  }
  LayerValues values;
  values.int8.fill = padding.value;
  values.real.fill = padding.real;
  append(op, layer, std::move(values), reread(next_value(layer.output), to));
}

}  // namespace patchnas
