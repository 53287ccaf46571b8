#pragma once

// Operators of a .tflite file whose output is known when the file is read: shapes of tensors, what
// is computed with them, and other places of constants.

#include <cstdint>
#include <optional>
#include <vector>

#include "deploy/tflite/tflite_model.h"

namespace patchnas {

/// The output's elements as a file would hold them; empty for operators that read an activation,
/// and for those that are not computed here.
std::optional<std::vector<std::uint8_t>> constant_output(const TfliteModel& model,
                                                         const FileOperator& op);

}  // namespace patchnas
