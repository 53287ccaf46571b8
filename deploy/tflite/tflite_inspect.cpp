#include "deploy/tflite/tflite_inspect.h"

#include <algorithm>
#include <cctype>

#include "deploy/tflite/tflite_importer.h"

namespace patchnas {
namespace {

std::int64_t bytes_of(tflite::TensorType type) {
  switch (type) {
    case tflite::TensorType::FLOAT32:
    case tflite::TensorType::INT32:
      return 4;
    case tflite::TensorType::INT64:
    case tflite::TensorType::COMPLEX64:
      return 8;
    case tflite::TensorType::FLOAT16:
    case tflite::TensorType::INT16:
      return 2;
    default:
      return 1;
  }
}

DeclaredTensor declared(const TfliteModel& model, FileTensor tensor) {
  const tflite::TensorType type = model.type(tensor, nullptr);
  DeclaredTensor result;
  result.name = model.tensor_name(tensor);
  result.type = EnumNameTensorType(type);
  std::transform(result.type.begin(), result.type.end(), result.type.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  try {
    result.dimensions = model.dimensions(tensor, nullptr);
    result.bytes = element_count(result.dimensions) * bytes_of(type);
    result.quantisation = model.activation_quantisation(tensor, nullptr, type);
  } catch (const FileObstacle&) {  // dynamic, or without one scale
  }
  return result;
}

std::vector<DeclaredTensor> declared(const TfliteModel& model,
                                     const std::vector<FileTensor>& tensors) {
  std::vector<DeclaredTensor> result;
  for (const FileTensor tensor : tensors) {
    result.push_back(declared(model, tensor));
  }
  return result;
}

std::vector<OperatorCount> operators_of(const TfliteModel& model) {
  std::vector<OperatorCount> counts;
  for (const FileOperator& op : model.operators()) {
    count_operator(counts, op.name, TfliteImporter::reads(op.code));
  }
  sort_by_count(counts);
  return counts;
}

DeclaredTensor largest_of(const TfliteModel& model) {
  DeclaredTensor largest;
  const auto consider = [&](FileTensor tensor) {
    DeclaredTensor other = declared(model, tensor);
    if (other.bytes > largest.bytes) {
      largest = std::move(other);
    }
  };
  std::for_each(model.inputs().begin(), model.inputs().end(), consider);
  for (const FileOperator& op : model.operators()) {
    std::for_each(op.outputs.begin(), op.outputs.end(), consider);
  }
  return largest;
}

}  // namespace

FileInspection inspect_tflite(std::span<const std::uint8_t> bytes, const std::string& source) {
  const TfliteModel model(bytes, source);
  return {.inputs = declared(model, model.inputs()),
          .outputs = declared(model, model.outputs()),
          .operators = operators_of(model),
          .largest = largest_of(model),
          .obstacles = TfliteImporter(model, Take::kInt8).obstacles()};
}

}  // namespace patchnas
