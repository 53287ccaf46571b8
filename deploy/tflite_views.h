#pragma once

// Operators of a .tflite file that compute nothing: PAD, RESHAPE and TRANSPOSE give another view of
// a tensor of ours.

#include "deploy/tflite_model.h"
#include "deploy/tflite_value.h"

namespace patchnas {

// Each returns the view that `op` makes of `value`.
// @throws InputError naming `op` for anything but constant padding of rows and columns, flattening,
// and permutations.
FileValue padded_view(const TfliteModel& model, const FileOperator& op, const FileValue& value);
FileValue reshaped_view(const TfliteModel& model, const FileOperator& op, const FileValue& value);
FileValue transposed_view(const TfliteModel& model, const FileOperator& op, const FileValue& value);

}  // namespace patchnas
