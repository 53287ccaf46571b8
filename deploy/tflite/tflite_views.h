#pragma once

// Operators of a .tflite file that compute nothing: PAD, RESHAPE and TRANSPOSE give another view of
// a tensor of ours.

#include <cstdint>
#include <optional>

#include "deploy/tflite/tflite_model.h"
#include "deploy/tflite/tflite_value.h"

namespace patchnas {

// Each returns the view that `op` makes of `value`.
// @throws InputError naming `op` for anything but constant padding of rows and columns, reading the
// same elements in other dimensions, and permutations.

/// @param zero_point of the tensor; without one, what a PADV2 pads with does not matter
FileValue padded_view(const TfliteModel& model, const FileOperator& op, const FileValue& value,
                      std::optional<std::int32_t> zero_point);
/// Of RESHAPE, SQUEEZE and EXPAND_DIMS: the file declares the dimensions.
FileValue reshaped_view(const TfliteModel& model, const FileOperator& op, const FileValue& value);
FileValue transposed_view(const TfliteModel& model, const FileOperator& op, const FileValue& value);

}  // namespace patchnas
