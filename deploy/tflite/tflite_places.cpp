// Operators that move elements: each is one or several copies, over what the copies before have
// left.

#include <algorithm>
#include <numeric>

#include "arch/base/error.h"
#include "deploy/tflite/tflite_importer.h"

namespace patchnas {

using tflite::BuiltinOperator;

namespace {

// Whether the last dimension is the channels of a tensor that is as the file has it.
bool ends_in_channels(const std::vector<int>& dimensions) {
  return dimensions.size() > 1 && shape_of(dimensions).channels == dimensions.back();
}

}  // namespace

std::vector<int> TfliteImporter::joined_dimensions(const FileOperator& op, std::size_t position,
                                                   std::size_t axis) {
  const bool is_constant = is_constant_operand(op, position);
  std::vector<int> dimensions =
      is_constant ? model_.dimensions(op.inputs[position], &op) : plain(op, position).dimensions();
  if (op.code == BuiltinOperator::PACK && axis <= dimensions.size()) {
    dimensions.insert(dimensions.begin() + static_cast<std::ptrdiff_t>(axis), 1);
  }
  return dimensions;
}

// CONCATENATION and PACK. The first tensor's copy is the whole output; what constants among the
// inputs hold is in it already.
void TfliteImporter::import_join(const FileOperator& op) {
  const bool is_pack = op.code == BuiltinOperator::PACK;
  if (!is_pack && options<tflite::ConcatenationOptions>(op).fused_activation_function() !=
                      tflite::ActivationFunctionType::NONE) {
    model_.fail(op, "has a fused activation function, which is not supported");
  }
  const std::vector<int> to = model_.dimensions(op.outputs[0], &op);
  const int stated_axis = is_pack ? options<tflite::PackOptions>(op).axis()
                                  : options<tflite::ConcatenationOptions>(op).axis();
  const std::size_t axis = axis_of(op, stated_axis, to.size());
  std::vector<JoinedPart> parts;
  int begin = 0;
  for (std::size_t i = 0; i < op.inputs.size(); ++i) {
    const std::vector<int> from = joined_dimensions(op, i, axis);
    std::vector<int> expected = to;
    expected[axis] = from.size() == to.size() ? from[axis] : 0;
    if (from != expected || begin > to[axis] - from[axis]) {
      model_.fail(&op, op.inputs[i], "does not fit the output's shape");
    }
    parts.push_back({.position = i, .begin = begin, .dimensions = from});
    begin += from[axis];
  }
  if (begin != to[axis]) {
    model_.fail(op, "its inputs do not fill its output");
  }
  LayerValues constants = joined_constants(op, parts, axis);
  std::erase_if(parts, [&](const JoinedPart& p) { return is_constant_operand(op, p.position); });
  TensorId before = kNoTensor;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    Layer layer = layer_of_part(op, parts[i], axis);
    layer.inputs[1] = before;
    layer.has_constant_map = i == 0 && parts.size() < op.inputs.size();
    before = result_.network.layer_count() + 1;
    if (i + 1 < parts.size()) {
      add_layer(layer, std::exchange(constants, {}), op.outputs[0],
                activation_quantisation(op.outputs[0], &op));
    } else {
      append(op, layer, std::exchange(constants, {}), reread(next_value(layer.output), to));
    }
  }
  if (parts.empty()) {
    model_.fail(op, "joins nothing but constants");
  }
}

Layer TfliteImporter::layer_of_part(const FileOperator& op, const JoinedPart& part,
                                    std::size_t axis) {
  const FileValue& in = plain(op, part.position);
  if (in.id == kImage) {
    read_image_as(op, in);
  }
  const std::vector<int> to = model_.dimensions(op.outputs[0], &op);
  Layer layer;
  layer.inputs = {in.id, kNoTensor};
  layer.output = shape_of(to);
  if (axis + 1 == to.size() && ends_in_channels(to) && op.code == BuiltinOperator::CONCATENATION) {
    layer.kind = LayerKind::kCopyChannels;
    layer.channels = {.from = 0, .to = part.begin, .count = part.dimensions[axis]};
  } else {
    const std::vector<int> to_strides = strides_of(to);
    layer.kind = LayerKind::kCopy;
    layer.copy = moved(op, part.dimensions, strides_of(part.dimensions), to_strides);
    layer.copy.to = part.begin * to_strides[axis];
  }
  return layer;
}

LayerValues TfliteImporter::joined_constants(const FileOperator& op,
                                             const std::vector<JoinedPart>& parts,
                                             std::size_t axis) const {
  LayerValues result;
  const std::vector<int> to = model_.dimensions(op.outputs[0], &op);
  for (const JoinedPart& part : parts) {
    const FileTensor tensor = op.inputs[part.position];
    if (!is_constant_operand(op, part.position)) {
      continue;
    }
    check_constant_map(op, to);
    model_.constant(tensor, type_, op);
    if (take_ == Take::kInt8) {
      place(model_.int8_data(tensor, op), part, to, axis, result.int8.constants);
    } else if (take_ == Take::kFloat) {
      place(model_.float_data(tensor, op), part, to, axis, result.real.constants);
    }
  }
  return result;
}

template <typename Value>
void TfliteImporter::place(const std::vector<Value>& values, const JoinedPart& part,
                           const std::vector<int>& to, std::size_t axis, std::vector<Value>& all) {
  all.resize(static_cast<std::size_t>(element_count(to)));
  const int run = strides_of(to)[axis];
  const std::ptrdiff_t count = std::ptrdiff_t{part.dimensions[axis]} * run;
  const std::ptrdiff_t line = std::ptrdiff_t{to[axis]} * run;
  std::ptrdiff_t at = std::ptrdiff_t{part.begin} * run;
  for (auto from = values.begin(); from != values.end(); from += count, at += line) {
    std::copy_n(from, count, all.begin() + at);
  }
}

// SPLIT, SPLIT_V and UNPACK.
void TfliteImporter::import_split(const FileOperator& op) {
  const FileValue& in = plain(op, op.code == BuiltinOperator::SPLIT ? 1 : 0);
  const std::vector<int> from = in.dimensions();
  const std::size_t axis = axis_of(op, split_axis(op), from.size());
  FileSlice slice{.begins = std::vector<int>(from.size(), 0),
                  .counts = from,
                  .steps = std::vector<int>(from.size(), 1)};
  for (std::size_t i = 0; i < op.outputs.size(); ++i) {
    std::vector<int> part = model_.dimensions(op.outputs[i], &op);
    if (op.code == BuiltinOperator::UNPACK && axis <= part.size()) {
      part.insert(part.begin() + static_cast<std::ptrdiff_t>(axis), 1);
    }
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

std::int64_t TfliteImporter::split_axis(const FileOperator& op) const {
  if (op.code == BuiltinOperator::UNPACK) {
    return options<tflite::UnpackOptions>(op).axis();
  }
  const FileTensor tensor = op.input(op.code == BuiltinOperator::SPLIT_V ? 2 : 0);
  const std::vector<std::int32_t> axes = model_.int32_data(tensor, op);
  if (axes.size() != 1) {
    model_.fail(&op, tensor, "must be one number, the axis");
  }
  return axes[0];
}

void TfliteImporter::import_slice(const FileOperator& op) {
  const FileValue& in = plain(op, 0);
  append_slice(op, 0, in, slice_of(model_, op, in.dimensions()));
}

void TfliteImporter::append_slice(const FileOperator& op, std::size_t output, const FileValue& in,
                                  const FileSlice& slice) {
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
                          slice.steps[last] == 1 && to == slice.counts && ends_in_channels(from) &&
                          ends_in_channels(to);
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

// Of indices that lie evenly apart one slice, else a copy for each run of such.
void TfliteImporter::import_gather(const FileOperator& op) {
  const auto& o = options<tflite::GatherOptions>(op);
  const FileValue in = plain(op, 0);
  const std::vector<int> from = in.dimensions();
  const std::size_t axis = axis_of(op, o.axis(), from.size());
  const std::vector<std::int32_t> stated = model_.int32_data(op.input(1), op);
  const std::vector<std::int64_t> indices(stated.begin(), stated.end());
  if (o.batch_dims() != 0 || !std::all_of(indices.begin(), indices.end(), [&](std::int64_t index) {
        return index >= 0 && index < from[axis];
      })) {
    model_.fail(&op, op.inputs[1],
                "must be indices from 0 to " + std::to_string(from[axis] - 1) + " of no batches");
  }
  const std::vector<IndexRun> runs = index_runs(indices);
  if (runs.size() > kMostIndexRuns) {
    model_.fail(&op, op.inputs[1],
                "take their elements in " + std::to_string(runs.size()) +
                    " runs of evenly spaced ones; allowed: up to " +
                    std::to_string(kMostIndexRuns));
  }
  if (runs.size() == 1 && runs[0].step > 0) {
    FileSlice slice{.begins = std::vector<int>(from.size(), 0),
                    .counts = from,
                    .steps = std::vector<int>(from.size(), 1)};
    slice.begins[axis] = runs[0].begin;
    slice.counts[axis] = runs[0].count;
    slice.steps[axis] = runs[0].step;
    return append_slice(op, 0, in, slice);
  }
  append_runs(op, in, axis, runs);
}

void TfliteImporter::append_runs(const FileOperator& op, const FileValue& in, std::size_t axis,
                                 const std::vector<IndexRun>& runs) {
  const std::vector<int> from = in.dimensions();
  std::vector<int> made = from;
  made[axis] = std::accumulate(runs.begin(), runs.end(), 0,
                               [](int sum, const IndexRun& run) { return sum + run.count; });
  const std::vector<int> to = model_.dimensions(op.outputs[0], &op);
  if (element_count(to) != element_count(made)) {
    model_.fail(op, "its output's shape does not follow from its inputs");
  }
  const std::vector<int> made_strides = strides_of(made);
  std::vector<StridedCopy> copies;
  int at = 0;
  for (const IndexRun& run : runs) {
    std::vector<int> counts = from;
    counts[axis] = run.count;
    std::vector<int> strides = strides_of(from);
    const int begin = run.begin * strides[axis];
    strides[axis] *= run.step;
    copies.push_back(moved(op, counts, strides, made_strides));
    copies.back().from = begin;
    copies.back().to = at * made_strides[axis];
    at += run.count;
  }
  append_copies(op, in, copies, to);
}

// DEPTH_TO_SPACE and SPACE_TO_DEPTH: of a block's rows each is a copy.
void TfliteImporter::import_depth_and_space(const FileOperator& op) {
  const bool to_space = op.code == BuiltinOperator::DEPTH_TO_SPACE;
  const int block = to_space ? options<tflite::DepthToSpaceOptions>(op).block_size()
                             : options<tflite::SpaceToDepthOptions>(op).block_size();
  const FileValue in = plain(op, 0);
  const std::vector<int> to = model_.dimensions(op.outputs[0], &op);
  const TensorShape& deep = to_space ? in.shape : shape_of(to);
  const TensorShape& wide = to_space ? shape_of(to) : in.shape;
  if (!in.is_map() || to.size() != 4 || block < 1 || block > kLargestChannels / block ||
      wide != TensorShape{deep.height * block, deep.width * block, deep.channels / block / block} ||
      deep.channels != wide.channels * block * block) {
    model_.fail(op, "its output's shape does not follow from its input and its blocks");
  }
  const int run = block * wide.channels;
  const std::array<int, 3> deep_strides{deep.width * deep.channels, deep.channels, 1};
  const std::array<int, 3> wide_strides{block * wide.width * wide.channels, run, 1};
  std::vector<StridedCopy> copies;
  for (int row = 0; row < block; ++row) {
    const int in_deep = row * run;
    const int in_wide = row * wide.width * wide.channels;
    copies.push_back({.counts = {deep.height, deep.width, run},
                      .from_strides = to_space ? deep_strides : wide_strides,
                      .to_strides = to_space ? wide_strides : deep_strides,
                      .from = to_space ? in_deep : in_wide,
                      .to = to_space ? in_wide : in_deep});
  }
  append_copies(op, in, copies, to);
}

void TfliteImporter::append_copies(const FileOperator& op, const FileValue& in,
                                   const std::vector<StridedCopy>& copies,
                                   const std::vector<int>& to) {
  pass_on(op, add_copies(op, in, copies, to));
}

FileValue TfliteImporter::add_copies(const FileOperator& op, const FileValue& in,
                                     const std::vector<StridedCopy>& copies,
                                     const std::vector<int>& to) {
  if (in.id == kImage) {
    read_image_as(op, in);
  }
  Layer layer;
  layer.kind = LayerKind::kCopy;
  layer.inputs = {in.id, kNoTensor};
  layer.output = shape_of(to);
  FileValue made;
  for (const StridedCopy& copy : copies) {
    layer.copy = copy;
    made = reread(next_value(layer.output), to);
    add_layer(layer, {}, op.outputs[0], activation_quantisation(op.outputs[0], &op));
    layer.inputs[1] = made.id;
  }
  return made;
}

// Each row of the margins is a copy, one dimension after the other.
void TfliteImporter::import_mirror_pad(const FileOperator& op) {
  FileValue made = plain(op, 0);
  const FilePadding padding = padding_of(model_, op, made, type_);
  for (std::size_t axis = 0; axis < padding.before.size(); ++axis) {
    if (padding.before[axis] + padding.after[axis] > 0) {
      made = mirrored(op, made, axis, padding);
    }
  }
  pass_on(op, made);
}

FileValue TfliteImporter::mirrored(const FileOperator& op, const FileValue& in, std::size_t axis,
                                   const FilePadding& padding) {
  const bool repeats_edge =
      options<tflite::MirrorPadOptions>(op).mode() == tflite::MirrorPadMode::SYMMETRIC;
  const std::vector<int> from = in.dimensions();
  const int before = padding.before[axis];
  const int after = padding.after[axis];
  const int edge = repeats_edge ? 0 : 1;
  if (std::max(before, after) > from[axis] - edge) {
    model_.fail(op, "has margins that are larger than what they mirror");
  }
  std::vector<int> to = from;
  to[axis] += before + after;
  const std::vector<int> from_strides = strides_of(from);
  const std::vector<int> to_strides = strides_of(to);
  std::vector<int> line = from;
  line[axis] = 1;
  std::vector<StridedCopy> copies{moved(op, from, from_strides, to_strides)};
  copies.back().to = before * to_strides[axis];
  const auto copy_line = [&](int from_index, int to_index) {
    copies.push_back(moved(op, line, from_strides, to_strides));
    copies.back().from = from_index * from_strides[axis];
    copies.back().to = to_index * to_strides[axis];
  };
  for (int i = 0; i < before; ++i) {
    copy_line(i + edge, before - 1 - i);
  }
  for (int i = 0; i < after; ++i) {
    copy_line(from[axis] - 1 - edge - i, before + from[axis] + i);
  }
  return add_copies(op, in, copies, to);
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
