#include "deploy/tflite/tflite_numbers.h"

#include <algorithm>
#include <optional>

namespace patchnas {
namespace {

using tflite::BuiltinOperator;
using tflite::TensorType;

bool is_conversion(const FileOperator& op) {
  return op.code == BuiltinOperator::QUANTIZE || op.code == BuiltinOperator::DEQUANTIZE;
}

FileNumbers numbers_with(TensorType activations, TensorType weights) {
  switch (activations) {
    case TensorType::INT16:
      return FileNumbers::kInt16;
    case TensorType::UINT8:
      return FileNumbers::kUint8;
    case TensorType::FLOAT16:
      return FileNumbers::kFloat16;
    case TensorType::FLOAT32:
      return weights == TensorType::FLOAT32   ? FileNumbers::kFloat32
             : weights == TensorType::FLOAT16 ? FileNumbers::kFloat16
                                              : FileNumbers::kDynamicRange;
    default:
      return FileNumbers::kInt8;
  }
}

// Of an operator with weights.
std::optional<FileNumbers> numbers_of(const TfliteModel& model, const FileOperator& op) {
  const bool has_weights = op.code == BuiltinOperator::CONV_2D ||
                           op.code == BuiltinOperator::DEPTHWISE_CONV_2D ||
                           op.code == BuiltinOperator::FULLY_CONNECTED;
  if (!has_weights || op.input(0) < 0 || op.input(1) < 0) {
    return std::nullopt;
  }
  return numbers_with(model.type(op.input(0), &op), model.type(model.stored(op.input(1)), &op));
}

}  // namespace

FileNumbers numbers_of(const TfliteModel& model) {
  std::optional<FileNumbers> first;
  for (const FileOperator& op : model.operators()) {
    const std::optional<FileNumbers> found = numbers_of(model, op);
    if (found == FileNumbers::kInt8) {
      return FileNumbers::kInt8;
    }
    if (!first) {
      first = found;
    }
  }
  if (first) {
    return *first;
  }
  for (const FileOperator& op : model.operators()) {
    if (!is_conversion(op) && op.input(0) >= 0) {
      const TensorType type = model.type(op.input(0), &op);
      return numbers_with(type, type);
    }
  }
  return FileNumbers::kInt8;
}

std::string explain(FileNumbers numbers) {
  const std::string quantise = "quantise it to int8 (nas_search quantise)";
  const std::string remedy =
      "convert it with full-integer quantisation (int8, which needs a representative data set)";
  switch (numbers) {
    case FileNumbers::kInt8:
      return "holds int8 numbers: it is quantised already";
    case FileNumbers::kFloat32:
      return "holds float32 numbers, which can only be estimated: to run it, " + quantise;
    case FileNumbers::kDynamicRange:
      return "has small weights, but computes in float32 (dynamic-range quantisation): " + remedy;
    case FileNumbers::kFloat16:
      return "has float16 weights and computes in floating point: to run it, " + quantise;
    case FileNumbers::kInt16:
      return "has int16 activations (16x8 quantisation): " + remedy;
    case FileNumbers::kUint8:
      return "is quantised to uint8, as by TensorFlow 1: " + remedy;
  }
  return "";
}

}  // namespace patchnas
