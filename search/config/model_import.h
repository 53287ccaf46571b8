#pragma once

// Other people's trained models, whatever form they are kept in: .tflite or .onnx.
//
//   const std::string content = read_model_file(path);
//   const QuantizedNetwork network = import_model(content, path);

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "arch/float_network.h"
#include "arch/quantized_network.h"
#include "deploy/import/file_inspection.h"

namespace patchnas {

enum class ModelForm { kTflite, kOnnx };

/// "tflite" or "onnx": the ending of such files.
std::string_view to_string(ModelForm form);

/// What the content begins like; nothing if like neither.
std::optional<ModelForm> model_form(const std::string& content);
/// The same, else by the ending of the name: without one it should be a .tflite file.
ModelForm model_form(const std::string& content, const std::filesystem::path& path);

/// An int8 network. @throws InputError naming `path` and everything that stands in the way.
QuantizedNetwork import_model(const std::string& content, const std::filesystem::path& path);

/// A float network. @throws InputError as import_model(), and for an int8 file.
FloatNetwork import_float_model(const std::string& content, const std::filesystem::path& path);

struct ModelStructure {
  Network network;
  bool is_float = false;
};

/// The layers alone, of an int8 or a float network. @throws InputError as import_model().
ModelStructure import_model_structure(const std::string& content,
                                      const std::filesystem::path& path);

/// What the file is, whether it can be run or not.
/// @throws InputError for what is neither, or damaged.
FileInspection inspect_model(const std::string& content, const std::filesystem::path& path);

}  // namespace patchnas
