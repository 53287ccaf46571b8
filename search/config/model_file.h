#pragma once

// Files of models that somebody names: .tflite and .onnx files are what they should be; others are
// called by what they are.

#include <filesystem>
#include <string>

namespace patchnas {

/// The content of a file that may be a .tflite or .onnx file, or text.
/// @throws InputError with path and reason if it cannot be read; if it is a folder; if another
/// framework wrote it, with the way from there to one of these.
std::string read_model_file(const std::filesystem::path& path);

}  // namespace patchnas
