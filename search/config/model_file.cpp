#include "search/config/model_file.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "arch/base/error.h"
#include "search/base/files.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

struct ForeignFormat {
  std::string_view what;
  std::string_view conversion;
};

constexpr ForeignFormat kKeras{
    "a Keras model",
    "tf.lite.TFLiteConverter.from_keras_model(tf.keras.models.load_model(FILE)), with "
    "optimizations and a representative_dataset"};
constexpr ForeignFormat kSavedModel{
    "a TensorFlow model",
    "tf.lite.TFLiteConverter.from_saved_model(FOLDER), with optimizations and a "
    "representative_dataset"};
constexpr ForeignFormat kPyTorch{"a PyTorch file",
                                 "torch.onnx.export(model.eval(), image, FILE.onnx)"};

struct Ending {
  std::string_view ending;
  const ForeignFormat* format;
};
constexpr Ending kEndings[] = {{".h5", &kKeras},      {".hdf5", &kKeras},       {".keras", &kKeras},
                               {".pb", &kSavedModel}, {".pbtxt", &kSavedModel}, {".pt", &kPyTorch},
                               {".pth", &kPyTorch}};

// Null if the content may be read here.
const ForeignFormat* foreign_format(const fs::path& path, std::string_view content) {
  if (content.substr(std::min<std::size_t>(4, content.size())).starts_with("TFL3")) {
    return nullptr;
  }
  if (content.starts_with("\x89HDF")) {
    return &kKeras;
  }
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const Ending& known : kEndings) {
    if (ending == known.ending) {
      return known.format;
    }
  }
  return content.starts_with("PK\x03\x04") ? &kPyTorch : nullptr;
}

[[noreturn]] void refuse(const fs::path& path, const ForeignFormat& format) {
  throw InputError(path.string() + ": is " + std::string(format.what) +
                   ", not a .tflite or .onnx file; convert it: " + std::string(format.conversion));
}

}  // namespace

std::string read_model_file(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    if (fs::exists(path / "saved_model.pb", error)) {
      refuse(path, kSavedModel);
    }
    throw InputError(path.string() + ": is a folder; give a .tflite or .onnx file");
  }
  std::string content = read_file(path);
  if (const ForeignFormat* const format = foreign_format(path, content)) {
    refuse(path, *format);
  }
  return content;
}

}  // namespace patchnas
