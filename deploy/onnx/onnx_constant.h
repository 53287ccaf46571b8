#pragma once

// Constants of an .onnx file: weights, and the numbers that shapes are made of.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace patchnas {

/// Of the values along one axis; one scale and zero point for all where there is only one.
struct ConstantQuantisation {
  std::vector<float> scales;
  std::vector<std::int32_t> zero_points;  ///< as many
  std::size_t axis = 0;
  bool operator==(const ConstantQuantisation&) const = default;
};

enum class ConstantType { kFloat, kInt8, kUint8, kInt32, kInt64, kBool };

/// What an ONNX model calls it: "int8".
const char* to_string(ConstantType type);

struct OnnxConstant {
  ConstantType type = ConstantType::kFloat;
  std::vector<int> dimensions;  ///< none for a single number
  std::vector<double> values;   ///< row-major; integers up to 2^53 exactly, beyond them nearly
  /// Of what a DequantizeLinear made of integers: `values` are still these.
  std::optional<ConstantQuantisation> quantisation{};

  [[nodiscard]] bool is_float() const { return type == ConstantType::kFloat || quantisation; }
  /// The scale and zero point of value `index`.
  [[nodiscard]] std::size_t channel_of(std::size_t index) const;
  /// What the values stand for.
  [[nodiscard]] std::vector<double> real_values() const;
};

/// Calls `visit` with the sum of index * stride for all indices in row-major order.
void for_each_offset(const std::vector<int>& dimensions, const std::vector<int>& strides,
                     const std::function<void(std::size_t)>& visit);

/// The same constant with dimension order[i] as its i-th.
OnnxConstant transposed(const OnnxConstant& constant, const std::vector<std::size_t>& order);

}  // namespace patchnas
