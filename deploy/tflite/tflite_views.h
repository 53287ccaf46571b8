#pragma once

// Operators of a .tflite file that compute nothing: PAD, RESHAPE and TRANSPOSE give another view of
// a tensor of ours.

#include <cstdint>
#include <optional>
#include <vector>

#include "deploy/tflite/tflite_model.h"
#include "deploy/tflite/tflite_value.h"

namespace patchnas {

/// Of each dimension, how many elements are added before and after it, and what they hold.
struct FilePadding {
  std::vector<int> before{};
  std::vector<int> after{};
  MarginFill fill = MarginFill::kZero;
  std::int8_t value = 0;  ///< stored
  float real = 0.0F;      ///< of float files
};

/// Of a PAD or PADV2. @param type of the network's numbers
/// @throws InputError naming `op` if it cuts off, or its padding is not constant.
FilePadding padding_of(const TfliteModel& model, const FileOperator& op, const FileValue& value,
                       tflite::TensorType type);
/// Empty if that is no view: where other than rows and columns are padded, or with two values.
std::optional<FileValue> padded_view(const FileValue& value, const FilePadding& padding);

// Each returns the view that `op` makes of `value`.
// @throws InputError naming `op` for anything but reading the same elements in other dimensions,
// and permutations.

/// Of RESHAPE, SQUEEZE and EXPAND_DIMS: the file declares the dimensions.
FileValue reshaped_view(const TfliteModel& model, const FileOperator& op, const FileValue& value);
FileValue transposed_view(const TfliteModel& model, const FileOperator& op, const FileValue& value);

}  // namespace patchnas
