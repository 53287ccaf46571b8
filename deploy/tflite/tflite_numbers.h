#pragma once

// How a .tflite file stores activations and weights, as far as it concerns what can be done with
// it.

#include <string>

#include "deploy/tflite/tflite_model.h"

namespace patchnas {

enum class FileNumbers { kInt8, kFloat32, kDynamicRange, kFloat16, kInt16, kUint8 };

/// By the operators with weights; int8 where any of them computes in it.
FileNumbers numbers_of(const TfliteModel& model);

/// What such a file is and what can be done about it, as one line: "holds float32 numbers: …".
std::string explain(FileNumbers numbers);

}  // namespace patchnas
