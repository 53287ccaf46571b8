#pragma once

// Where the elements of a StridedCopy lie, said in the dimensions of arrays, so that operators that
// slice, transpose, pad and concatenate arrays can copy them.
//
//   const auto box = box_in({1, H, W, C}, copy_axes(copy), copy.from, Side::kInput);

#include <optional>
#include <vector>

#include "arch/network.h"

namespace patchnas {

/// So many elements, so far apart in the input and in the output.
struct CopyAxis {
  int count = 1;
  int from_stride = 0;
  int to_stride = 0;
  bool operator==(const CopyAxis&) const = default;
};
using CopyAxes = std::vector<CopyAxis>;

enum class Side { kInput, kOutput };
int stride_of(const CopyAxis& axis, Side side);

/// Axes along which there is more than one element.
CopyAxes copy_axes(const StridedCopy& copy);
/// The farthest apart on that side first.
CopyAxes in_order(CopyAxes axes, Side side);
/// Whether all that axes behind another reach lies between two elements of that one.
bool is_nested(const CopyAxes& axes_in_order, Side side);

/// Along each dimension of an array so many elements, `steps` apart, from `begins` on. In their
/// order they are those of `axes`, which are in_order(), one for each dimension with several.
struct ArrayBox {
  CopyAxes axes;
  std::vector<int> begins{};
  std::vector<int> counts{};
  std::vector<int> steps{};
};

/// Those of a copy in the array's own dimensions, if they are a box there. Boxes of outputs have
/// no steps.
std::optional<ArrayBox> box_in(const std::vector<int>& dimensions, CopyAxes axes, int begin,
                               Side side);

/// The elements [begin, end) of each of `rows` equal parts of an array.
struct ArrayBand {
  int rows = 1;
  int begin = 0;
  int end = 0;
  bool operator==(const ArrayBand&) const = default;
};

/// Where a copy writes into an output of so many elements; empty if that is no band.
std::optional<ArrayBand> written_band(const CopyAxes& axes, int begin, int elements);

}  // namespace patchnas
