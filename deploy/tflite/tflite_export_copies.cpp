// Copies as operators that slice, transpose, repeat, pad and concatenate arrays.

#include <algorithm>
#include <utility>

#include "arch/margins.h"
#include "deploy/tflite/tflite_exporter.h"
#include "deploy/tflite/tflite_strided_arrays.h"
#include "deploy/tflite/tflite_value.h"

namespace patchnas {

namespace {

bool is_copy(LayerKind kind) {
  return kind == LayerKind::kCopy || kind == LayerKind::kCopyChannels || kind == LayerKind::kPad;
}

// A part of each row of an output in bands, as one of several copies leaves it.
struct Segment {
  int begin = 0;
  int end = 0;
  int copy = -1;  // none of them: what was there before
};

std::vector<Segment> overwritten(const std::vector<Segment>& segments, const Segment& by) {
  std::vector<Segment> result;
  for (const Segment& segment : segments) {
    if (segment.begin < by.begin) {
      result.push_back({segment.begin, std::min(segment.end, by.begin), segment.copy});
    }
  }
  result.push_back(by);
  for (const Segment& segment : segments) {
    if (segment.end > by.end) {
      result.push_back({std::max(segment.begin, by.end), segment.end, segment.copy});
    }
  }
  return result;
}

// How an output in bands is an array: its dimensions and the one along which the bands lie.
struct BandedArray {
  std::vector<int> dimensions;
  std::size_t axis = 0;
  int unit = 1;  // elements of a band for each step along the axis

  [[nodiscard]] std::vector<int> dimensions_of(int elements) const {
    std::vector<int> part = dimensions;
    part[axis] = elements / unit;
    return part;
  }
};

// In the output's own dimensions where the ends of all bands allow it.
BandedArray banded_array(const std::vector<int>& map, int rows, const std::vector<int>& ends) {
  const std::vector<int> units = strides_of(map);
  const auto elements = static_cast<int>(element_count(map));
  for (std::size_t axis = 1; axis < map.size(); ++axis) {
    const bool fits =
        std::all_of(ends.begin(), ends.end(), [&](int end) { return end % units[axis] == 0; });
    if (fits && rows * map[axis] * units[axis] == elements) {
      return {map, axis, units[axis]};
    }
  }
  return rows == 1 ? BandedArray{{elements}, 0, 1} : BandedArray{{rows, elements / rows}, 1, 1};
}

}  // namespace

TfliteExporter::Copy TfliteExporter::copy_of(int index) const {
  const Layer& layer = layer_at(index);
  if (layer.kind != LayerKind::kCopyChannels) {
    const StridedCopy copy = layer.kind == LayerKind::kCopy
                                 ? layer.copy
                                 : copy_between_margins(shapes_.shape(layer.inputs[0]), layer);
    return {copy_axes(copy), copy.from, copy.to};
  }
  const TensorShape& from = shapes_.shape(layer.inputs[0]);
  const TensorShape& to = layer.output;
  const ChannelRange& c = layer.channels;
  return {copy_axes({.counts = {to.height, to.width, c.count},
                     .from_strides = {from.width * from.channels, from.channels, 1},
                     .to_strides = {to.width * to.channels, to.channels, 1}}),
          c.from, c.to};
}

std::optional<ArrayBand> TfliteExporter::band(int index) const {
  const Copy copy = copy_of(index);
  return written_band(copy.axes, copy.to, static_cast<int>(layer_at(index).output.elements()));
}

bool TfliteExporter::is_output(int index) const {
  const std::vector<TensorId> outputs = shapes_.output_tensors();
  return std::find(outputs.begin(), outputs.end(), index + 1) != outputs.end();
}

bool TfliteExporter::is_continued(int index) const {
  const TensorId output = index + 1;
  if (is_output(index)) {
    return false;
  }
  int reader = -1;
  for (int i = index + 1; i < shapes_.layer_count(); ++i) {
    const Layer& layer = layer_at(i);
    if (layer.inputs[0] == output || (layer.inputs[1] == output && reader >= 0)) {
      return false;
    }
    reader = layer.inputs[1] == output ? i : reader;
  }
  if (reader < 0 || !is_copy(layer_at(reader).kind)) {
    return false;
  }
  const std::optional<ArrayBand> here = band(index);
  const std::optional<ArrayBand> there = band(reader);
  return here && there && here->rows == there->rows;
}

void TfliteExporter::export_copy(int index) {
  if (is_continued(index)) {
    return;
  }
  const ArrayOperators arrays = array_operators(index);
  const Layer& layer = layer_at(index);
  const bool has_rest = layer.inputs[1] != kNoTensor || layer.has_constant_map;
  const FileTensor found =
      has_rest && band(index) ? concatenated(index, arrays) : scattered(index, arrays);
  const bool is_new = std::find(written_.begin(), written_.end(), found) == written_.end();
  const std::vector<int> dimensions = map_dimensions(index + 1);
  const FileTensor result =
      is_new ? arrays.reshaped(found, dimensions) : arrays.copied(found, dimensions);
  // What a RESHAPE writes is read as what it reads: an output would be that, with its name.
  const bool is_read_as_another =
      is_output(index) && writer_.is_written_by(tflite::BuiltinOperator::RESHAPE, result);
  set_output(index, is_read_as_another ? arrays.sliced(result) : result);
}

FileTensor TfliteExporter::gathered(int index, const ArrayOperators& arrays) {
  const Copy copy = copy_of(index);
  CopyAxes moved;
  CopyAxes repeated;
  std::partition_copy(copy.axes.begin(), copy.axes.end(), std::back_inserter(moved),
                      std::back_inserter(repeated),
                      [](const CopyAxis& axis) { return axis.from_stride > 0; });
  FileTensor result = written(layer_at(index).inputs[0]);
  if (const auto box = box_in(writer_.dimensions(result), moved, copy.from, Side::kInput)) {
    moved = box->axes;
    result = arrays.sliced(result, box->begins, box->counts, box->steps);
  } else {
    moved = in_order(std::move(moved), Side::kInput);
    result = arrays.reshaped(taken_apart(arrays, result, moved, copy.from), counts_of(moved));
  }
  result = in_output_order(arrays, result, moved);
  return repeated.empty() ? result : repeated_along(arrays, result, moved, repeated);
}

FileTensor TfliteExporter::scattered(int index, const ArrayOperators& arrays) {
  const Copy copy = copy_of(index);
  const std::optional<FileTensor> rest = rest_of(index);
  const std::int8_t fill = parameters(index).fill;
  const std::vector<int> dimensions = map_dimensions(index + 1);
  const auto box = box_in(dimensions, copy.axes, copy.to, Side::kOutput);
  if (box && (!rest || box->counts == dimensions)) {
    std::vector<int> after = dimensions;
    for (std::size_t i = 0; i < after.size(); ++i) {
      after[i] -= box->begins[i] + box->counts[i];
    }
    const FileTensor values = arrays.reshaped(gathered(index, arrays), box->counts);
    return arrays.padded(values, box->begins, after, fill);
  }
  const CopyAxes axes = in_order(copy.axes, Side::kOutput);
  if (!is_nested(axes, Side::kOutput)) {
    fail(index, "copies to places between which others of them lie, which cannot be written");
  }
  const FileTensor values = gathered(index, arrays);
  const auto elements = static_cast<int>(element_count(dimensions));
  return rest ? spread_over(arrays, values, axes, copy.to, *rest)
              : spread_out(arrays, values, axes, copy.to, elements, fill);
}

std::optional<FileTensor> TfliteExporter::rest_of(int index) {
  const Layer& layer = layer_at(index);
  if (layer.has_constant_map) {
    return writer_.add_constant(shapes_.layer_name(index) + "/constants", map_dimensions(index + 1),
                                parameters(index).constants, quantisation(index + 1));
  }
  return layer.inputs[1] == kNoTensor ? std::nullopt : std::optional(written(layer.inputs[1]));
}

std::vector<int> TfliteExporter::chain(int index) const {
  std::vector<int> copies{index};
  TensorId rest = layer_at(index).inputs[1];
  while (rest > kImage && is_copy(layer_at(rest - 1).kind) && is_continued(rest - 1)) {
    copies.insert(copies.begin(), rest - 1);
    rest = layer_at(rest - 1).inputs[1];
  }
  return copies;
}

FileTensor TfliteExporter::concatenated(int index, const ArrayOperators& arrays) {
  const std::vector<int> copies = chain(index);
  const std::optional<FileTensor> rest = rest_of(copies.front());
  const std::int8_t fill = parameters(copies.front()).fill;
  const std::vector<int> map = map_dimensions(index + 1);
  const int rows = band(index)->rows;
  std::vector<Segment> segments{{0, static_cast<int>(element_count(map)) / rows}};
  std::vector<int> ends;
  for (const int copy : copies) {
    const ArrayBand to = *band(copy);
    ends.insert(ends.end(), {to.begin, to.end});
    segments = overwritten(segments, {to.begin, to.end, copy});
  }
  const BandedArray array = banded_array(map, rows, ends);
  const auto part_of = [&](FileTensor values, const ArrayBand& of, const Segment& segment) {
    const FileTensor all = arrays.reshaped(values, array.dimensions_of(of.end - of.begin));
    return arrays.part(all, array.axis, (segment.begin - of.begin) / array.unit,
                       (segment.end - of.begin) / array.unit);
  };
  std::vector<FileTensor> parts;
  int unfilled = 0;  // in front of the first part
  for (const Segment& segment : segments) {
    const int length = (segment.end - segment.begin) / array.unit;
    if (segment.copy >= 0) {
      parts.push_back(part_of(gathered(segment.copy, arrays), *band(segment.copy), segment));
    } else if (rest) {
      parts.push_back(part_of(*rest, {rows, 0, segments.back().end}, segment));
    } else if (parts.empty()) {
      unfilled = length;
      continue;
    } else {
      parts.back() = arrays.padded(parts.back(), array.axis, 0, length, fill);
    }
    parts.back() = arrays.padded(parts.back(), array.axis, std::exchange(unfilled, 0), 0, fill);
  }
  return arrays.concatenated(parts, array.axis);
}

}  // namespace patchnas
