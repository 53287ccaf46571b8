// The numbers of an initialiser or a Constant, which a file may store in several ways.

#include <algorithm>
#include <cstring>

#include "deploy/import/dimensions.h"
#include "deploy/import/file_obstacles.h"
#include "deploy/onnx/onnx_model.h"

namespace patchnas {
namespace {

using onnx::TensorProto;

std::optional<ConstantType> constant_type(int type) {
  switch (type) {
    case TensorProto::FLOAT:
    case TensorProto::DOUBLE:
      return ConstantType::kFloat;
    case TensorProto::INT8:
      return ConstantType::kInt8;
    case TensorProto::UINT8:
      return ConstantType::kUint8;
    case TensorProto::INT32:
      return ConstantType::kInt32;
    case TensorProto::INT64:
      return ConstantType::kInt64;
    case TensorProto::BOOL:
      return ConstantType::kBool;
    default:
      return std::nullopt;
  }
}

template <typename Number>
std::vector<double> numbers_of_raw(const std::string& raw) {
  std::vector<double> values(raw.size() / sizeof(Number));
  for (std::size_t i = 0; i < values.size(); ++i) {
    Number number{};
    std::memcpy(&number, raw.data() + i * sizeof(Number), sizeof(Number));
    values[i] = static_cast<double>(number);
  }
  return values;
}

template <typename List>
std::vector<double> numbers_of_list(const List& list) {
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(list.size()));
  std::transform(list.begin(), list.end(), std::back_inserter(values),
                 [](auto number) { return static_cast<double>(number); });
  return values;
}

// Little-endian, as the format has it and so do all machines that this runs on.
std::vector<double> raw_values(const TensorProto& tensor) {
  switch (tensor.data_type()) {
    case TensorProto::FLOAT:
      return numbers_of_raw<float>(tensor.raw_data());
    case TensorProto::DOUBLE:
      return numbers_of_raw<double>(tensor.raw_data());
    case TensorProto::INT8:
      return numbers_of_raw<std::int8_t>(tensor.raw_data());
    case TensorProto::INT32:
      return numbers_of_raw<std::int32_t>(tensor.raw_data());
    case TensorProto::INT64:
      return numbers_of_raw<std::int64_t>(tensor.raw_data());
    default:
      return numbers_of_raw<std::uint8_t>(tensor.raw_data());
  }
}

std::vector<double> listed_values(const TensorProto& tensor) {
  switch (tensor.data_type()) {
    case TensorProto::FLOAT:
      return numbers_of_list(tensor.float_data());
    case TensorProto::DOUBLE:
      return numbers_of_list(tensor.double_data());
    case TensorProto::INT64:
      return numbers_of_list(tensor.int64_data());
    default:
      return numbers_of_list(tensor.int32_data());
  }
}

bool fits(ConstantType type, double value) {
  return type == ConstantType::kInt8    ? value >= -128 && value <= 127
         : type == ConstantType::kUint8 ? value >= 0 && value <= 255
                                        : true;
}

}  // namespace

std::string onnx_type_name(int type) {
  static const char* const names[] = {"undefined",  "float32", "uint8",  "int8",   "uint16",
                                      "int16",      "int32",   "int64",  "string", "bool",
                                      "float16",    "float64", "uint32", "uint64", "complex64",
                                      "complex128", "bfloat16"};
  constexpr int kCount = sizeof(names) / sizeof(names[0]);
  return type >= 0 && type < kCount ? names[type] : "type " + std::to_string(type);
}

OnnxConstant OnnxModel::constant(const TensorProto& tensor, const std::string& name,
                                 const OnnxNode* at) const {
  if (tensor.data_location() == TensorProto::EXTERNAL || tensor.external_data_size() > 0) {
    fail(at, name,
         "its numbers are in another file (external data); save the model with all data inside");
  }
  const std::optional<ConstantType> type = constant_type(tensor.data_type());
  if (!type) {
    fail(at, name,
         "is a constant of " + onnx_type_name(tensor.data_type()) +
             "; allowed: float32, float64, int8, uint8, int32, int64, bool");
  }
  OnnxConstant result{.type = *type, .dimensions = {}, .values = {}};
  std::int64_t count = 1;
  for (const std::int64_t dimension : tensor.dims()) {
    if (dimension < 0 || dimension > kMostElements || (count *= dimension) > kMostElements) {
      fail(at, name,
           "is a constant of too many numbers; allowed: " + std::to_string(kMostElements));
    }
    result.dimensions.push_back(static_cast<int>(dimension));
  }
  result.values = tensor.has_raw_data() ? raw_values(tensor) : listed_values(tensor);
  if (static_cast<std::int64_t>(result.values.size()) != count) {
    fail(at, name,
         "is a constant of " + std::to_string(result.values.size()) + " numbers, its shape " +
             dimensions_text(result.dimensions) + " needs " + std::to_string(count));
  }
  if (!std::all_of(result.values.begin(), result.values.end(),
                   [&](double value) { return fits(*type, value); })) {
    fail(at, name, std::string("holds numbers that no ") + to_string(*type) + " can have");
  }
  return result;
}

}  // namespace patchnas
