#include "deploy/tflite/tflite_strided_box.h"

#include <algorithm>
#include <cstdint>

#include "deploy/tflite/tflite_value.h"

namespace patchnas {
namespace {

// Axes that continue one another on both sides are one.
CopyAxes joined(const CopyAxes& axes_in_order) {
  CopyAxes result;
  for (const CopyAxis& axis : axes_in_order) {
    const bool continues = !result.empty() &&
                           result.back().from_stride == axis.count * axis.from_stride &&
                           result.back().to_stride == axis.count * axis.to_stride;
    if (continues) {
      result.back() = {result.back().count * axis.count, axis.from_stride, axis.to_stride};
    } else {
      result.push_back(axis);
    }
  }
  return result;
}

// Every axis in parts that lie within one dimension each, where they fill whole rows of it.
CopyAxes split_at(const std::vector<int>& units, const CopyAxes& axes, Side side) {
  CopyAxes parts;
  for (CopyAxis axis : axes) {
    for (const int unit : units) {
      const int stride = stride_of(axis, side);
      const int inner = stride > 0 && unit % stride == 0 ? unit / stride : 1;
      if (inner > 1 && inner < axis.count && axis.count % inner == 0) {
        parts.push_back({axis.count / inner, axis.from_stride * inner, axis.to_stride * inner});
        axis.count = inner;
      }
    }
    parts.push_back(axis);
  }
  return parts;
}

// In an array of exactly these dimensions. Each axis needs a dimension of its own.
std::optional<ArrayBox> box_of_array(const std::vector<int>& dimensions, const CopyAxes& axes,
                                     int begin, Side side) {
  const std::size_t rank = dimensions.size();
  ArrayBox box{.axes = axes,
               .begins = std::vector<int>(rank),
               .counts = std::vector<int>(rank, 1),
               .steps = std::vector<int>(rank, 1)};
  const std::vector<int> units = strides_of(dimensions);
  for (std::size_t i = 0; i < rank; ++i) {
    box.begins[i] = begin / units[i];
    begin %= units[i];
  }
  for (const CopyAxis& axis : axes) {
    const int stride = stride_of(axis, side);
    std::size_t i = 0;
    while (i < rank && (units[i] > stride || dimensions[i] == 1)) {
      ++i;
    }
    if (i == rank || stride % units[i] != 0 || box.counts[i] != 1) {
      return std::nullopt;
    }
    box.counts[i] = axis.count;
    box.steps[i] = stride / units[i];
  }
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t last = box.begins[i] + (std::int64_t{box.counts[i]} - 1) * box.steps[i];
    if (last >= dimensions[i]) {
      return std::nullopt;
    }
  }
  return box;
}

}  // namespace

int stride_of(const CopyAxis& axis, Side side) {
  return side == Side::kInput ? axis.from_stride : axis.to_stride;
}

CopyAxes copy_axes(const StridedCopy& copy) {
  CopyAxes axes;
  for (std::size_t i = 0; i < copy.counts.size(); ++i) {
    if (copy.counts[i] > 1) {
      axes.push_back({copy.counts[i], copy.from_strides[i], copy.to_strides[i]});
    }
  }
  return axes;
}

CopyAxes in_order(CopyAxes axes, Side side) {
  std::stable_sort(axes.begin(), axes.end(), [side](const CopyAxis& a, const CopyAxis& b) {
    return stride_of(a, side) > stride_of(b, side);
  });
  return axes;
}

bool is_nested(const CopyAxes& axes_in_order, Side side) {
  std::int64_t span = 1;  // from the first element of the inner axes to the last
  for (auto axis = axes_in_order.rbegin(); axis != axes_in_order.rend(); ++axis) {
    const std::int64_t stride = stride_of(*axis, side);
    if (stride < span) {
      return false;
    }
    span += (axis->count - 1) * stride;
  }
  return true;
}

std::optional<ArrayBox> box_in(const std::vector<int>& dimensions, CopyAxes axes, int begin,
                               Side side) {
  axes = in_order(std::move(axes), side);
  for (const CopyAxes& parts : {axes, split_at(strides_of(dimensions), joined(axes), side)}) {
    std::optional<ArrayBox> box = box_of_array(dimensions, parts, begin, side);
    const bool has_steps =
        box && std::any_of(box->steps.begin(), box->steps.end(), [](int step) { return step > 1; });
    if (box && (side == Side::kInput || !has_steps)) {
      return box;
    }
  }
  return std::nullopt;
}

std::optional<ArrayBand> written_band(const CopyAxes& axes, int begin, int elements) {
  CopyAxes written = axes;
  std::for_each(written.begin(), written.end(),
                [](CopyAxis& axis) { axis.from_stride = axis.to_stride; });
  written = joined(in_order(std::move(written), Side::kOutput));
  if (written.empty() || written.back().to_stride != 1) {
    written.push_back({1, 1, 1});
  }
  if (written.size() > 2) {
    return std::nullopt;
  }
  const int rows = written.size() == 2 ? written.front().count : 1;
  const int row = elements / rows;
  const int width = written.back().count;
  const bool fills_rows = written.size() == 1 || written.front().to_stride == row;
  if (row * rows != elements || !fills_rows || begin + width > row) {
    return std::nullopt;
  }
  return ArrayBand{rows, begin, begin + width};
}

}  // namespace patchnas
