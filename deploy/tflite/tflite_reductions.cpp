// MEAN, SUM, REDUCE_MAX and REDUCE_MIN, over any dimensions.

#include "deploy/tflite/tflite_importer.h"

namespace patchnas {

using tflite::BuiltinOperator;

std::vector<bool> TfliteImporter::reduced_dimensions(const FileOperator& op,
                                                     std::size_t rank) const {
  std::vector<bool> is_reduced(rank, false);
  for (const std::int32_t axis : model_.int32_data(op.input(1), op)) {
    is_reduced[axis_of(op, axis, rank)] = true;
  }
  return is_reduced;
}

// A value whose elements are no rows, columns and channels: dimensions that lie next to each other,
// and are reduced together or kept together, are one.
TfliteImporter::Reduction TfliteImporter::reduction_of_groups(const FileOperator& op,
                                                              const FileValue& in) {
  const std::vector<int> dimensions = in.dimensions();
  const std::vector<bool> is_reduced = reduced_dimensions(op, dimensions.size());
  std::vector<int> groups;
  std::vector<bool> is_reduced_group;
  for (std::size_t i = 0; i < dimensions.size(); ++i) {
    if (dimensions[i] == 1) {
      continue;
    }
    if (groups.empty() || is_reduced_group.back() != is_reduced[i]) {
      groups.push_back(1);
      is_reduced_group.push_back(is_reduced[i]);
    }
    groups.back() *= dimensions[i];
  }
  if (groups.size() > 3) {
    model_.fail(op, "reduces dimensions that lie too far apart in memory");
  }
  groups.insert(groups.begin(), 3 - groups.size(), 1);
  is_reduced_group.insert(is_reduced_group.begin(), 3 - is_reduced_group.size(), false);
  const FileValue copied = add_copy(op, in, copy_to_plain(in), groups, op.inputs[0]);
  return {.in = copied,
          .rows = is_reduced_group[0],
          .cols = is_reduced_group[1],
          .channels = is_reduced_group[2]};
}

TfliteImporter::Reduction TfliteImporter::reduction_of_axes(const FileOperator& op,
                                                            const FileValue& in) const {
  const std::vector<bool> is_reduced = reduced_dimensions(op, in.axes.size());
  Reduction result{.in = in};
  for (std::size_t i = 0; i < in.axes.size(); ++i) {
    const FileAxis axis = in.axes[i];
    const bool is_flat = axis == FileAxis::kFlat;
    const bool is_pixels = is_flat || axis == FileAxis::kPixels;
    result.rows |= is_reduced[i] && (is_pixels || axis == FileAxis::kRows);
    result.cols |= is_reduced[i] && (is_pixels || axis == FileAxis::kCols);
    result.channels |= is_reduced[i] && (is_flat || axis == FileAxis::kChannels);
  }
  return result;
}

// A mean is no average pooling: TensorFlow Lite rounds the two differently.
void TfliteImporter::import_reduction(const FileOperator& op) {
  const FileValue& found = value(op, 0);
  FileValue in = found.has_margins() || found.axes.empty() ? plain(op, 0) : found;
  const bool is_least = op.code == BuiltinOperator::REDUCE_MIN;
  if (is_least) {
    in = negated(op, in);
  }
  Reduction reduction = in.axes.empty() ? reduction_of_groups(op, in) : reduction_of_axes(op, in);
  const TensorShape shape = reduction.in.shape;
  int taps = 1;
  if (reduction.channels && shape.channels > 1) {
    // Windows slide over rows and columns, so channels become columns.
    taps = shape.channels;
    reduction.in =
        add_copy(op, reduction.in, moved(op, {static_cast<int>(shape.elements())}, {1}, {1}),
                 {shape.height, shape.width * taps, 1}, op.inputs[0]);
  }
  Layer layer;
  const bool is_choice = is_least || op.code == BuiltinOperator::REDUCE_MAX;
  layer.kind = is_choice ? LayerKind::kMaxPool : LayerKind::kMean;
  layer.inputs = {reduction.in.id, kNoTensor};
  layer.kernel.height = layer.kernel.stride_h = reduction.rows ? shape.height : 1;
  layer.kernel.width = layer.kernel.stride_w = (reduction.cols ? shape.width : 1) * taps;
  layer.output = {shape.height / layer.kernel.height, shape.width * taps / layer.kernel.width,
                  shape.channels / taps};
  LayerValues values;
  values.int8.is_sum = values.real.is_sum = op.code == BuiltinOperator::SUM;
  if (is_least) {
    add_layer(layer, {}, op.outputs[0], result_.tensors[static_cast<std::size_t>(in.id)]);
    const auto [negation, minus_one] = negation_of(layer.output, result_.network.layer_count());
    return append(op, negation, minus_one, reduced_value(op, in, layer.output));
  }
  append(op, layer, std::move(values), reduced_value(op, in, layer.output));
}

// The least is the largest, both ways negated: products with -1, whose zero point makes them exact.
FileValue TfliteImporter::negated(const FileOperator& op, const FileValue& in) {
  const TensorQuantisation stated = quantisation(in);
  if (take_ == Take::kInt8 && stated != activation_quantisation(op.outputs[0], &op)) {
    model_.fail(op, "its output must have its input's scale and zero point");
  }
  if (in.id == kImage) {
    read_image_as(op, in);
  }
  const auto [negation, minus_one] = negation_of(in.shape, in.id);
  add_layer(negation, minus_one, op.inputs[0], {stated.scale, -1 - stated.zero_point});
  FileValue result = in;
  result.id = result_.network.layer_count();
  result.restated.reset();
  return result;
}

std::pair<Layer, LayerValues> TfliteImporter::negation_of(const TensorShape& shape,
                                                          TensorId tensor) const {
  Layer layer;
  layer.kind = LayerKind::kMultiply;
  layer.inputs = {tensor, kNoTensor};
  layer.output = shape;
  LayerValues values;
  if (take_ == Take::kInt8) {
    values.int8.constants.assign(static_cast<std::size_t>(shape.channels), -1);
  } else if (take_ == Take::kFloat) {
    values.real.constants.assign(static_cast<std::size_t>(shape.channels), -1.0F);
  }
  return {layer, std::move(values)};
}

FileValue TfliteImporter::reduced_value(const FileOperator& op, const FileValue& in,
                                        const TensorShape& shape) const {
  const std::vector<int> dimensions = in.dimensions();
  const std::vector<bool> is_reduced = reduced_dimensions(op, dimensions.size());
  const bool keeps = options<tflite::ReducerOptions>(op).keep_dims();
  FileValue result = next_value(shape);
  result.axes.clear();
  std::vector<int> kept;
  for (std::size_t i = 0; i < dimensions.size(); ++i) {
    if (keeps || !is_reduced[i]) {
      kept.push_back(is_reduced[i] ? 1 : dimensions[i]);
      if (!in.axes.empty()) {
        result.axes.push_back(in.axes[i]);
      }
    }
  }
  return in.axes.empty() ? reread(result, kept) : result;
}

}  // namespace patchnas
