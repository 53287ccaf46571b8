#pragma once

// What an .onnx file is, whether it can be run or not.

#include <cstdint>
#include <span>
#include <string>

#include "deploy/import/file_inspection.h"

namespace patchnas {

/// Obstacles are those to running it: of a float file, that it must be quantised is one.
/// @throws InputError for files that are no ONNX models, or damaged.
FileInspection inspect_onnx(std::span<const std::uint8_t> bytes, const std::string& source);

}  // namespace patchnas
