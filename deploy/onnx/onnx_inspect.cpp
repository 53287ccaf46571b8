#include "deploy/onnx/onnx_inspect.h"

#include "deploy/import/dimensions.h"
#include "deploy/onnx/onnx_importer.h"

namespace patchnas {
namespace {

constexpr std::int64_t kFloatBytes = 4;

std::int64_t bytes_of(int type) {
  switch (type) {
    case onnx::TensorProto::FLOAT:
    case onnx::TensorProto::INT32:
    case onnx::TensorProto::UINT32:
      return kFloatBytes;
    case onnx::TensorProto::DOUBLE:
    case onnx::TensorProto::INT64:
    case onnx::TensorProto::UINT64:
      return 8;
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::BFLOAT16:
    case onnx::TensorProto::INT16:
    case onnx::TensorProto::UINT16:
      return 2;
    default:
      return 1;
  }
}

// Exporters leave the shapes of outputs open: those that were computed are known as well.
std::vector<DeclaredTensor> declared(const std::vector<OnnxDeclaration>& ends,
                                     const OnnxImporter& importer) {
  std::vector<DeclaredTensor> result;
  for (const OnnxDeclaration& end : ends) {
    DeclaredTensor tensor;
    tensor.name = printable(end.name);
    tensor.type = onnx_type_name(end.type);
    const auto computed = importer.values().find(end.name);
    if (end.dimensions || computed != importer.values().end()) {
      tensor.dimensions = end.dimensions.value_or(
          computed == importer.values().end() ? std::vector<int>{} : computed->second.dimensions);
      tensor.bytes = element_count(tensor.dimensions) * bytes_of(end.type);
    }
    result.push_back(std::move(tensor));
  }
  return result;
}

// Of what nodes compute, as far as that is known; a quantised network holds it in int8.
DeclaredTensor largest_of(const OnnxImporter& importer) {
  const bool is_float = importer.numbers() == OnnxNumbers::kFloat32;
  const std::int64_t bytes = is_float ? kFloatBytes : 1;
  DeclaredTensor largest;
  for (const auto& [name, value] : importer.values()) {
    const std::int64_t size = element_count(value.dimensions) * bytes;
    if (size > largest.bytes || (size == largest.bytes && name < largest.name)) {
      largest.name = printable(name);
      largest.type = is_float ? "float32" : "int8";
      largest.dimensions = value.dimensions;
      largest.bytes = size;
    }
  }
  return largest;
}

}  // namespace

FileInspection inspect_onnx(std::span<const std::uint8_t> bytes, const std::string& source) {
  const OnnxModel model(bytes, source);
  OnnxImporter importer(model);
  FileInspection result;
  result.obstacles = importer.obstacles();
  result.inputs = declared(model.inputs(), importer);
  result.outputs = declared(model.outputs(), importer);
  result.largest = largest_of(importer);
  for (const std::string& op : model.operators_in_file()) {
    count_operator(result.operators, op, OnnxImporter::reads(op));
  }
  sort_by_count(result.operators);
  return result;
}

}  // namespace patchnas
