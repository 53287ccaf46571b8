#pragma once

// What a .tflite file is, whether it can be run or not.

#include <cstdint>
#include <span>
#include <string>

#include "deploy/import/file_inspection.h"

namespace patchnas {

/// @throws InputError for files that are no .tflite files, or damaged.
FileInspection inspect_tflite(std::span<const std::uint8_t> bytes, const std::string& source);

}  // namespace patchnas
