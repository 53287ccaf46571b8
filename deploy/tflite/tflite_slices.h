#pragma once

// Which elements SLICE and STRIDED_SLICE take.

#include <vector>

#include "deploy/tflite/tflite_model.h"

namespace patchnas {

/// Every `step`th of `counts` elements from `begins` on along each dimension.
struct FileSlice {
  std::vector<int> begins, counts, steps;
};

/// Of a tensor with the dimensions `from`.
/// @throws InputError naming `op` if it takes nothing, takes in reverse, or is not constant.
FileSlice slice_of(const TfliteModel& model, const FileOperator& op, const std::vector<int>& from);

}  // namespace patchnas
