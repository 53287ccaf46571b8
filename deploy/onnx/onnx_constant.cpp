#include "deploy/onnx/onnx_constant.h"

#include "deploy/import/dimensions.h"

namespace patchnas {

const char* to_string(ConstantType type) {
  switch (type) {
    case ConstantType::kFloat:
      return "float32";
    case ConstantType::kInt8:
      return "int8";
    case ConstantType::kUint8:
      return "uint8";
    case ConstantType::kInt32:
      return "int32";
    case ConstantType::kInt64:
      return "int64";
    case ConstantType::kBool:
      return "bool";
  }
  return "";
}

std::size_t OnnxConstant::channel_of(std::size_t index) const {
  if (!quantisation || quantisation->scales.size() == 1) {
    return 0;
  }
  const std::size_t axis = quantisation->axis;
  const auto stride = static_cast<std::size_t>(strides_of(dimensions)[axis]);
  return index / stride % static_cast<std::size_t>(dimensions[axis]);
}

std::vector<double> OnnxConstant::real_values() const {
  std::vector<double> result = values;
  if (quantisation) {
    for (std::size_t i = 0; i < result.size(); ++i) {
      const std::size_t channel = channel_of(i);
      // In single precision, as DequantizeLinear is defined.
      result[i] = static_cast<float>(result[i] - quantisation->zero_points[channel]) *
                  quantisation->scales[channel];
    }
  }
  return result;
}

void for_each_offset(const std::vector<int>& dimensions, const std::vector<int>& strides,
                     const std::function<void(std::size_t)>& visit) {
  const std::int64_t count = element_count(dimensions);
  std::vector<int> index(dimensions.size(), 0);
  std::int64_t offset = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    visit(static_cast<std::size_t>(offset));
    for (std::size_t d = dimensions.size(); d-- > 0;) {
      offset += strides[d];
      if (++index[d] < dimensions[d]) {
        break;
      }
      offset -= std::int64_t{strides[d]} * dimensions[d];
      index[d] = 0;
    }
  }
}

OnnxConstant transposed(const OnnxConstant& constant, const std::vector<std::size_t>& order) {
  const std::vector<int> strides = strides_of(constant.dimensions);
  OnnxConstant result = constant;
  std::vector<int> from;
  for (std::size_t i = 0; i < order.size(); ++i) {
    result.dimensions[i] = constant.dimensions[order[i]];
    from.push_back(strides[order[i]]);
    if (result.quantisation && constant.quantisation->axis == order[i]) {
      result.quantisation->axis = i;
    }
  }
  result.values.clear();
  for_each_offset(result.dimensions, from,
                  [&](std::size_t offset) { result.values.push_back(constant.values[offset]); });
  return result;
}

}  // namespace patchnas
