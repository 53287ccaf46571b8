#include "deploy/tflite/tflite_strided_arrays.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <span>

#include "deploy/tflite/tflite_value.h"

namespace patchnas {
namespace {

using Axes = std::span<const CopyAxis>;

int size_of(const ArrayOperators& arrays, FileTensor tensor) {
  return static_cast<int>(element_count(arrays.dimensions(tensor)));
}

// Columns of an array of rows.
constexpr std::size_t kColumns = 1;

// `width` columns from `begin` on, of which some may lie behind the last: nothing reads those.
FileTensor window(const ArrayOperators& arrays, FileTensor rows, int begin, int width) {
  const int end = std::min(arrays.dimensions(rows)[kColumns], begin + width);
  return arrays.padded(arrays.part(rows, kColumns, begin, end), kColumns, 0, begin + width - end,
                       0);
}

// Of each row the elements from `begin` on. A stride is the length of the rows for the next axis.
FileTensor taken_from_rows(const ArrayOperators& arrays, FileTensor rows, Axes axes, int begin) {
  if (axes.empty()) {
    return arrays.part(rows, kColumns, begin, begin + 1);
  }
  const auto [count, stride, to_stride] = axes.front();
  const FileTensor read = window(arrays, rows, begin, count * stride);
  if (stride == 1) {
    return read;
  }
  const FileTensor inner = arrays.reshaped(read, {arrays.dimensions(rows)[0] * count, stride});
  return taken_from_rows(arrays, inner, axes.subspan(1), 0);
}

// Of one row, whatever the axes: those that are not nested one element of the first after the
// other.
FileTensor taken_from_row(const ArrayOperators& arrays, FileTensor row, const CopyAxes& axes,
                          int begin) {
  if (is_nested(axes, Side::kInput)) {
    return taken_from_rows(arrays, row, axes, begin);
  }
  const CopyAxes inner(axes.begin() + 1, axes.end());
  std::vector<FileTensor> parts;
  for (int i = 0; i < axes.front().count; ++i) {
    const int part_begin = begin + i * axes.front().from_stride;
    const FileTensor part = taken_from_row(arrays, row, inner, part_begin);
    parts.push_back(arrays.reshaped(part, {1, size_of(arrays, part)}));
  }
  return arrays.concatenated(parts, 0);
}

// Rows that hold `values`, and elsewhere what `rest` holds or `fill`.
struct Spread {
  const ArrayOperators& arrays;
  FileTensor values;
  std::int8_t fill = 0;

  FileTensor into_rows(const std::optional<FileTensor>& rest, int rows, int length, Axes axes,
                       int begin) const {
    if (axes.empty()) {
      return between(rest, arrays.reshaped(values, {rows, 1}), length, begin);
    }
    const auto [count, from_stride, stride] = axes.front();
    if (stride == 1) {
      return between(rest, arrays.reshaped(values, {rows, count}), length, begin);
    }
    std::optional<FileTensor> inner_rest;
    if (rest) {
      inner_rest =
          arrays.reshaped(window(arrays, *rest, begin, count * stride), {rows * count, stride});
    }
    const FileTensor inner = into_rows(inner_rest, rows * count, stride, axes.subspan(1), 0);
    const FileTensor joined = arrays.reshaped(inner, {rows, count * stride});
    const int width = std::min(count * stride, length - begin);
    return between(rest, arrays.part(joined, kColumns, 0, width), length, begin);
  }

  FileTensor between(const std::optional<FileTensor>& rest, FileTensor part, int length,
                     int begin) const {
    const int end = begin + arrays.dimensions(part)[kColumns];
    if (!rest) {
      return arrays.padded(part, kColumns, begin, length - end, fill);
    }
    std::vector<FileTensor> parts;
    if (begin > 0) {
      parts.push_back(arrays.part(*rest, kColumns, 0, begin));
    }
    parts.push_back(part);
    if (end < length) {
      parts.push_back(arrays.part(*rest, kColumns, end, length));
    }
    return arrays.concatenated(parts, kColumns);
  }
};

}  // namespace

std::vector<int> counts_of(const CopyAxes& axes) {
  std::vector<int> counts;
  std::transform(axes.begin(), axes.end(), std::back_inserter(counts),
                 [](const CopyAxis& axis) { return axis.count; });
  return counts.empty() ? std::vector<int>{1} : counts;
}

FileTensor taken_apart(const ArrayOperators& arrays, FileTensor tensor, const CopyAxes& axes,
                       int begin) {
  const FileTensor row = arrays.reshaped(tensor, {1, size_of(arrays, tensor)});
  return taken_from_row(arrays, row, axes, begin);
}

FileTensor in_output_order(const ArrayOperators& arrays, FileTensor array, CopyAxes& axes) {
  const std::vector<int> dimensions = arrays.dimensions(array);
  std::vector<int> order(dimensions.size());
  std::iota(order.begin(), order.end(), 0);
  std::vector<int> places;
  std::copy_if(order.begin(), order.end(), std::back_inserter(places),
               [&](int place) { return dimensions[static_cast<std::size_t>(place)] > 1; });
  const CopyAxes sorted = in_order(axes, Side::kOutput);
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const auto axis = std::find(axes.begin(), axes.end(), sorted[i]) - axes.begin();
    order[static_cast<std::size_t>(places[i])] = places[static_cast<std::size_t>(axis)];
  }
  axes = sorted;
  return arrays.transposed(array, order);
}

FileTensor repeated_along(const ArrayOperators& arrays, FileTensor array, const CopyAxes& axes,
                          const CopyAxes& repeated) {
  CopyAxes all = axes;
  all.insert(all.end(), repeated.begin(), repeated.end());
  all = in_order(std::move(all), Side::kOutput);
  // In the dimensions that the array has, if that can be.
  const std::size_t rank = arrays.dimensions(array).size();
  std::vector<int> once(rank - std::min(rank, all.size()), 1);
  std::vector<int> often = once;
  for (const CopyAxis& axis : all) {
    once.push_back(axis.from_stride == 0 ? 1 : axis.count);
    often.push_back(axis.count);
  }
  return arrays.repeated(arrays.reshaped(array, once), often);
}

FileTensor spread_out(const ArrayOperators& arrays, FileTensor values, const CopyAxes& axes,
                      int begin, int elements, std::int8_t fill) {
  return Spread{arrays, values, fill}.into_rows(std::nullopt, 1, elements, axes, begin);
}

FileTensor spread_over(const ArrayOperators& arrays, FileTensor values, const CopyAxes& axes,
                       int begin, FileTensor rest) {
  const int elements = size_of(arrays, rest);
  const FileTensor row = arrays.reshaped(rest, {1, elements});
  return Spread{arrays, values}.into_rows(row, 1, elements, axes, begin);
}

}  // namespace patchnas
