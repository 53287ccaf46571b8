#pragma once

// Files of models that somebody names: .tflite files are what they should be; others are called by
// what they are.

#include <filesystem>
#include <string>

#include "arch/float_network.h"

namespace patchnas {

/// The content of a file that may be a .tflite file, or text.
/// @throws InputError with path and reason if it cannot be read; if it is a folder; if another
/// framework wrote it, with the way from there to a .tflite file.
std::string read_model_file(const std::filesystem::path& path);

/// A network with its values, in floating point.
/// @throws InputError as read_model_file(), and for a file that holds no float network.
FloatNetwork read_float_model(const std::filesystem::path& path);

}  // namespace patchnas
