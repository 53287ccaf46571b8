#include "search/config/model_import.h"

#include <cstdint>
#include <span>

#include "deploy/onnx/onnx_import.h"
#include "deploy/onnx/onnx_inspect.h"
#include "deploy/tflite/tflite_import.h"
#include "deploy/tflite/tflite_inspect.h"

namespace patchnas {
namespace {

std::span<const std::uint8_t> bytes_of(const std::string& content) {
  return {reinterpret_cast<const std::uint8_t*>(content.data()), content.size()};
}

}  // namespace

std::string_view to_string(ModelForm form) {
  return form == ModelForm::kTflite ? "tflite" : "onnx";
}

std::optional<ModelForm> model_form(const std::string& content) {
  // A FlatBuffer has its identifier behind the offset of its root.
  constexpr std::size_t kIdentifier = 4;
  if (content.size() > kIdentifier && content.compare(kIdentifier, 4, "TFL3") == 0) {
    return ModelForm::kTflite;
  }
  return looks_like_onnx(bytes_of(content)) ? std::optional(ModelForm::kOnnx) : std::nullopt;
}

ModelForm model_form(const std::string& content, const std::filesystem::path& path) {
  return model_form(content).value_or(path.extension() == ".onnx" ? ModelForm::kOnnx
                                                                  : ModelForm::kTflite);
}

QuantizedNetwork import_model(const std::string& content, const std::filesystem::path& path) {
  return model_form(content, path) == ModelForm::kOnnx
             ? import_onnx(bytes_of(content), path.string())
             : import_tflite(bytes_of(content), path.string());
}

FloatNetwork import_float_model(const std::string& content, const std::filesystem::path& path) {
  return model_form(content, path) == ModelForm::kOnnx
             ? import_onnx_float(bytes_of(content), path.string())
             : import_tflite_float(bytes_of(content), path.string());
}

ModelStructure import_model_structure(const std::string& content,
                                      const std::filesystem::path& path) {
  if (model_form(content, path) == ModelForm::kOnnx) {
    OnnxStructure file = import_onnx_structure(bytes_of(content), path.string());
    return {std::move(file.network), file.numbers == OnnxNumbers::kFloat32};
  }
  TfliteStructure file = import_tflite_structure(bytes_of(content), path.string());
  return {std::move(file.network), file.numbers == TfliteNumbers::kFloat32};
}

FileInspection inspect_model(const std::string& content, const std::filesystem::path& path) {
  return model_form(content, path) == ModelForm::kOnnx
             ? inspect_onnx(bytes_of(content), path.string())
             : inspect_tflite(bytes_of(content), path.string());
}

}  // namespace patchnas
