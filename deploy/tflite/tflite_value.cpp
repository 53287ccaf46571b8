#include "deploy/tflite/tflite_value.h"

#include <algorithm>
#include <optional>

namespace patchnas {
namespace {

using Axes = std::vector<FileAxis>;

const Axes kUpright{FileAxis::kBatch, FileAxis::kRows, FileAxis::kCols, FileAxis::kChannels};
const Axes kTurned{FileAxis::kBatch, FileAxis::kCols, FileAxis::kRows, FileAxis::kChannels};

// The axes, in order, whose extents are `dimensions`; dimensions of 1 stand for nothing.
std::optional<Axes> axes_of(const FileValue& value, const std::vector<int>& dimensions) {
  Axes remaining{FileAxis::kRows, FileAxis::kCols, FileAxis::kChannels};
  const auto take = [&](FileAxis axis, std::ptrdiff_t count) {
    remaining.erase(remaining.begin(), remaining.begin() + count);
    return axis;
  };
  Axes axes;
  for (const int dimension : dimensions) {
    if (dimension == 1) {
      axes.push_back(FileAxis::kBatch);
      continue;
    }
    while (!remaining.empty() && value.extent(remaining.front()) == 1) {
      take(remaining.front(), 1);
    }
    if (!remaining.empty() && dimension == value.extent(remaining.front())) {
      axes.push_back(take(remaining.front(), 1));
    } else if (remaining.size() == 3 && dimension == value.extent(FileAxis::kPixels)) {
      axes.push_back(take(FileAxis::kPixels, 2));
    } else if (remaining.size() == 3 && dimension == value.extent(FileAxis::kFlat)) {
      axes.push_back(take(FileAxis::kFlat, 3));
    } else {
      return std::nullopt;
    }
  }
  const bool complete = std::all_of(remaining.begin(), remaining.end(),
                                    [&](FileAxis axis) { return value.extent(axis) == 1; });
  return complete ? std::optional(axes) : std::nullopt;
}

}  // namespace

int FileValue::extent(FileAxis axis) const {
  switch (axis) {
    case FileAxis::kBatch:
      return 1;
    case FileAxis::kRows:
      return shape.height + margins.top + margins.bottom;
    case FileAxis::kCols:
      return shape.width + margins.left + margins.right;
    case FileAxis::kChannels:
      return shape.channels;
    case FileAxis::kPixels:
      return static_cast<int>(shape.pixels());
    case FileAxis::kFlat:
      return static_cast<int>(shape.elements());
  }
  return 0;
}

std::vector<int> FileValue::dimensions() const {
  std::vector<int> result = reread_as;
  for (const FileAxis axis : axes) {
    result.push_back(extent(axis));
  }
  return result;
}

bool FileValue::is_ordered() const {
  FileAxis previous = FileAxis::kBatch;
  for (const FileAxis axis : axes) {
    if (extent(axis) > 1) {
      const bool follows = axis > previous || (previous == FileAxis::kPixels);
      if (!follows) {
        return false;
      }
      previous = axis;
    }
  }
  return true;
}

bool FileValue::is_map() const { return is_ordered() && (axes == kUpright || axes == kTurned); }

bool FileValue::is_turned() const { return axes == kTurned; }

bool FileValue::ends_in_channels() const {
  if (has_margins() || !is_ordered() || axes.empty()) {
    return false;
  }
  return axes.back() == FileAxis::kChannels ||
         (axes.back() == FileAxis::kFlat && shape.pixels() == 1) ||
         (axes.back() == FileAxis::kBatch && shape.elements() == 1);
}

bool FileValue::is_plain() const {
  return is_ordered() && !has_margins() && (!restated || id == kImage) &&
         shape == shape_of(dimensions());
}

StridedCopy copy_to_plain(const FileValue& value) {
  if (value.axes.empty()) {
    const int count = static_cast<int>(value.shape.elements());
    return *strided_copy({count}, {1}, {1});
  }
  const std::vector<int> to_strides = strides_of(value.dimensions());
  std::vector<int> counts;
  std::vector<int> from_strides;
  int to = 0;
  for (std::size_t i = 0; i < value.axes.size(); ++i) {
    const FileAxis axis = value.axes[i];
    const bool is_rows = axis == FileAxis::kRows;
    const bool is_cols = axis == FileAxis::kCols;
    const int before = is_rows ? value.margins.top : is_cols ? value.margins.left : 0;
    const int after = is_rows ? value.margins.bottom : is_cols ? value.margins.right : 0;
    counts.push_back(value.extent(axis) - before - after);
    from_strides.push_back(is_rows ? value.shape.width * value.shape.channels
                           : is_cols || axis == FileAxis::kPixels ? value.shape.channels
                                                                  : 1);
    to += before * to_strides[i];
  }
  StridedCopy copy = *strided_copy(counts, from_strides, to_strides);
  copy.to = to;
  return copy;
}

FileValue reread(const FileValue& value, const std::vector<int>& dimensions) {
  FileValue view = value;
  view.reread_as.clear();
  for (const Axes& axes : {kUpright, kTurned}) {
    view.axes = axes;
    if (view.is_ordered() && view.dimensions() == dimensions) {
      return view;
    }
  }
  if (const std::optional<Axes> axes = axes_of(value, dimensions)) {
    view.axes = *axes;
  } else {
    view.axes.clear();
    view.reread_as = dimensions;
  }
  return view;
}

TensorShape shape_of(const std::vector<int>& dimensions) {
  const std::size_t rank = dimensions.size();
  if (rank > 4 || (rank == 4 && dimensions[0] != 1)) {
    return {1, 1, static_cast<int>(element_count(dimensions))};
  }
  const auto from_the_end = [&](std::size_t index) {
    return index <= rank ? dimensions[rank - index] : 1;
  };
  return {from_the_end(3), from_the_end(2), from_the_end(1)};
}

}  // namespace patchnas
