#pragma once

// Strided copies by operators that move elements of arrays, along one axis after another, whatever
// the strides are.

#include <cstdint>
#include <vector>

#include "deploy/tflite/tflite_array_operators.h"
#include "deploy/tflite/tflite_strided_box.h"

namespace patchnas {

/// Elements along each axis.
std::vector<int> counts_of(const CopyAxes& axes);

/// The elements from `begin` on of a tensor; `axes` are in order of the input.
FileTensor taken_apart(const ArrayOperators& arrays, FileTensor tensor, const CopyAxes& axes,
                       int begin);

/// An array with a dimension for each of the `axes` that has several elements, and the rest of 1,
/// in the order in which these elements are in the output.
/// @param axes as the array has them; in the output's order afterwards
FileTensor in_output_order(const ArrayOperators& arrays, FileTensor array, CopyAxes& axes);

/// The elements along `axes`, which lie in the output's order, once for each element along
/// `repeated`.
FileTensor repeated_along(const ArrayOperators& arrays, FileTensor array, const CopyAxes& axes,
                          const CopyAxes& repeated);

/// So many elements: `values` from `begin` on along `axes`, which are nested and in order of the
/// output, and between them `fill`.
FileTensor spread_out(const ArrayOperators& arrays, FileTensor values, const CopyAxes& axes,
                      int begin, int elements, std::int8_t fill);
/// The same with what is between them in `rest`.
FileTensor spread_over(const ArrayOperators& arrays, FileTensor values, const CopyAxes& axes,
                       int begin, FileTensor rest);

}  // namespace patchnas
