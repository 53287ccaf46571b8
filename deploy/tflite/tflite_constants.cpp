#include "deploy/tflite/tflite_constants.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "deploy/import/file_obstacles.h"
#include "deploy/tflite/tflite_slices.h"
#include "deploy/tflite/tflite_value.h"

namespace patchnas {
namespace {

using tflite::BuiltinOperator;
using tflite::TensorType;
using Bytes = std::vector<std::uint8_t>;

// Of one output, so that a small file cannot ask for much memory.
constexpr std::int64_t kMostComputedElements = std::int64_t{1} << 24;

template <typename T>
std::vector<T> elements_of(std::span<const std::uint8_t> bytes) {
  std::vector<T> elements(bytes.size() / sizeof(T));
  std::memcpy(elements.data(), bytes.data(), bytes.size());
  return elements;
}

template <typename T>
Bytes bytes_of(const std::vector<T>& elements) {
  Bytes bytes(elements.size() * sizeof(T));
  std::memcpy(bytes.data(), elements.data(), bytes.size());
  return bytes;
}

// Calls visit(index along each dimension) in the order of the elements.
template <typename Visit>
void for_each_index(const std::vector<int>& dimensions, const Visit& visit) {
  std::vector<int> index(dimensions.size(), 0);
  for (std::int64_t count = element_count(dimensions); count > 0; --count) {
    visit(index);
    for (std::size_t i = dimensions.size(); i-- > 0 && ++index[i] == dimensions[i];) {
      index[i] = 0;
    }
  }
}

// Everything that is wrong with the operator throws a FileObstacle.
class ConstantOperator {
 public:
  ConstantOperator(const TfliteModel& model, const FileOperator& op)
      : model_(model), op_(op), to_(model.dimensions(op.outputs[0], &op)) {
    type_ = model.type(op.outputs[0], &op);
    require(element_count(to_) <= kMostComputedElements);
  }

  [[nodiscard]] Bytes compute() const {
    Bytes bytes = computed();
    require(bytes.size() ==
            static_cast<std::size_t>(element_count(to_)) * (type_ == TensorType::INT8 ? 1 : 4));
    return bytes;
  }

 private:
  [[nodiscard]] Bytes computed() const {
    switch (op_.code) {
      case BuiltinOperator::SHAPE:
        require(type_ == TensorType::INT32);
        return bytes_of(model_.dimensions(op_.input(0), &op_));
      case BuiltinOperator::RESHAPE:
      case BuiltinOperator::SQUEEZE:
      case BuiltinOperator::EXPAND_DIMS: {
        const auto bytes = constant(0);
        return {bytes.begin(), bytes.end()};
      }
      case BuiltinOperator::TRANSPOSE:
        return transposed();
      case BuiltinOperator::SLICE:
      case BuiltinOperator::STRIDED_SLICE:
        return sliced();
      case BuiltinOperator::GATHER:
        return gathered();
      case BuiltinOperator::PACK:
        return joined(model_.options<tflite::PackOptions>(op_).axis());
      case BuiltinOperator::CONCATENATION:
        return joined(model_.options<tflite::ConcatenationOptions>(op_).axis());
      case BuiltinOperator::ADD:
      case BuiltinOperator::SUB:
      case BuiltinOperator::MUL:
        return combined();
      case BuiltinOperator::QUANTIZE:
        return quantised();
      case BuiltinOperator::DEQUANTIZE:
        return dequantised();
      default:
        return {};
    }
  }

  // What is wrong is not said: the importer finds it again.
  void require(bool condition) const {
    if (!condition) {
      model_.fail(op_, "is no constant");
    }
  }

  [[nodiscard]] std::span<const std::uint8_t> constant(std::size_t position,
                                                       TensorType type) const {
    const FileTensor tensor = op_.input(position);
    const std::vector<FileTensor>& inputs = model_.inputs();
    require(tensor >= 0 && model_.is_constant(tensor) &&
            std::find(inputs.begin(), inputs.end(), tensor) == inputs.end());
    return model_.constant(tensor, type, op_);
  }
  // Of the output's type.
  [[nodiscard]] std::span<const std::uint8_t> constant(std::size_t position) const {
    require(type_ == TensorType::INT8 || type_ == TensorType::INT32 ||
            type_ == TensorType::FLOAT32);
    return constant(position, type_);
  }
  [[nodiscard]] std::vector<std::int32_t> numbers(std::size_t position) const {
    return elements_of<std::int32_t>(constant(position, TensorType::INT32));
  }
  [[nodiscard]] std::vector<int> dimensions(std::size_t position) const {
    return model_.dimensions(op_.input(position), &op_);
  }
  [[nodiscard]] std::size_t axis(std::int64_t axis, std::size_t rank) const {
    axis += axis < 0 ? static_cast<std::int64_t>(rank) : 0;
    require(axis >= 0 && axis < static_cast<std::int64_t>(rank));
    return static_cast<std::size_t>(axis);
  }

  // For each element of an output with the dimensions `to`, that of the first input which lies at
  // `begin` + the index times `strides`.
  [[nodiscard]] Bytes moved(const std::vector<int>& to, std::int64_t begin,
                            const std::vector<int>& strides) const {
    const auto from = constant(0);
    const std::size_t bytes = type_ == TensorType::INT8 ? 1 : 4;
    Bytes result;
    for_each_index(to, [&](const std::vector<int>& index) {
      std::int64_t at = begin;
      for (std::size_t i = 0; i < index.size(); ++i) {
        at += std::int64_t{index[i]} * strides[i];
      }
      const auto* const first = from.data() + static_cast<std::size_t>(at) * bytes;
      result.insert(result.end(), first, first + bytes);
    });
    return result;
  }

  [[nodiscard]] Bytes transposed() const {
    const std::vector<int> from = dimensions(0);
    const std::vector<int> strides = strides_of(from);
    const std::vector<std::int32_t> order = numbers(1);
    std::vector<int> to;
    std::vector<int> to_strides;
    for (const std::int32_t from_axis : order) {
      to.push_back(from[axis(from_axis, from.size())]);
      to_strides.push_back(strides[axis(from_axis, from.size())]);
    }
    std::vector<std::int32_t> sorted = order;
    std::sort(sorted.begin(), sorted.end());
    const bool is_permutation = std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end() &&
                                sorted.size() == from.size() && sorted.front() == 0;
    require(is_permutation && to == to_);
    return moved(to, 0, to_strides);
  }

  [[nodiscard]] Bytes sliced() const {
    const std::vector<int> from = dimensions(0);
    const FileSlice slice = slice_of(model_, op_, from);
    std::vector<int> strides = strides_of(from);
    std::int64_t begin = 0;
    for (std::size_t i = 0; i < from.size(); ++i) {
      begin += std::int64_t{slice.begins[i]} * strides[i];
      strides[i] *= slice.steps[i];
    }
    return moved(slice.counts, begin, strides);
  }

  // Of everything in front of the axis, and of each index, all that lies behind the axis.
  [[nodiscard]] Bytes gathered() const {
    const auto& o = model_.options<tflite::GatherOptions>(op_);
    require(o.batch_dims() == 0);
    const std::vector<int> from = dimensions(0);
    const std::size_t along = axis(o.axis(), from.size());
    const auto bytes = constant(0);
    const std::vector<std::int32_t> indices = numbers(1);
    const std::size_t extent = static_cast<std::size_t>(from[along]);
    const std::size_t run =
        bytes.size() / static_cast<std::size_t>(element_count(
                           {from.begin(), from.begin() + 1 + static_cast<std::ptrdiff_t>(along)}));
    Bytes result;
    require(bytes.size() / extent * indices.size() <= 4 * kMostComputedElements);
    for (std::size_t outer = 0; outer < bytes.size(); outer += extent * run) {
      for (const std::int32_t index : indices) {
        require(index >= 0 && static_cast<std::size_t>(index) < extent);
        const auto* const first = bytes.data() + outer + static_cast<std::size_t>(index) * run;
        result.insert(result.end(), first, first + run);
      }
    }
    return result;
  }

  // The inputs' runs of what lies behind the axis, in turn.
  [[nodiscard]] Bytes joined(std::int64_t file_axis) const {
    const std::size_t along = axis(file_axis, to_.size());
    const std::int64_t turns =
        element_count({to_.begin(), to_.begin() + static_cast<std::ptrdiff_t>(along)});
    std::vector<std::span<const std::uint8_t>> parts;
    for (std::size_t i = 0; i < op_.inputs.size(); ++i) {
      parts.push_back(constant(i));
      require(parts.back().size() % static_cast<std::size_t>(turns) == 0);
    }
    Bytes result;
    for (std::size_t turn = 0; turn < static_cast<std::size_t>(turns); ++turn) {
      for (const auto& part : parts) {
        const std::size_t run = part.size() / static_cast<std::size_t>(turns);
        result.insert(result.end(), part.begin() + static_cast<std::ptrdiff_t>(turn * run),
                      part.begin() + static_cast<std::ptrdiff_t>((turn + 1) * run));
      }
    }
    return result;
  }

  // Of whole numbers: of as many, or of one with each.
  [[nodiscard]] Bytes combined() const {
    require(type_ == TensorType::INT32);
    const std::vector<std::int32_t> a = numbers(0);
    const std::vector<std::int32_t> b = numbers(1);
    require(a.size() == b.size() || a.size() == 1 || b.size() == 1);
    std::vector<std::int32_t> result;
    for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
      const std::int64_t x = a[a.size() == 1 ? 0 : i];
      const std::int64_t y = b[b.size() == 1 ? 0 : i];
      const std::int64_t value = op_.code == BuiltinOperator::ADD   ? x + y
                                 : op_.code == BuiltinOperator::SUB ? x - y
                                                                    : x * y;
      require(value == static_cast<std::int32_t>(value));
      result.push_back(static_cast<std::int32_t>(value));
    }
    return bytes_of(result);
  }

  [[nodiscard]] Bytes quantised() const {
    const TensorQuantisation q = model_.activation_quantisation(op_.outputs[0], &op_);
    std::vector<std::int8_t> result;
    for (const float value : elements_of<float>(constant(0, TensorType::FLOAT32))) {
      const float steps = std::round(value / q.scale);
      require(std::abs(steps) < 0x1p30F);
      result.push_back(static_cast<std::int8_t>(
          std::clamp(static_cast<std::int32_t>(steps) + q.zero_point, -128, 127)));
    }
    return bytes_of(result);
  }

  [[nodiscard]] Bytes dequantised() const {
    require(type_ == TensorType::FLOAT32);
    const auto values = elements_of<std::int8_t>(constant(0, TensorType::INT8));
    const TensorQuantisation q = model_.activation_quantisation(op_.input(0), &op_);
    std::vector<float> result;
    for (const std::int8_t value : values) {
      result.push_back(q.scale * static_cast<float>(value - q.zero_point));
    }
    return bytes_of(result);
  }

  const TfliteModel& model_;
  const FileOperator& op_;
  std::vector<int> to_;
  TensorType type_{};
};

}  // namespace

std::optional<Bytes> constant_output(const TfliteModel& model, const FileOperator& op) {
  if (op.outputs.size() != 1) {
    return std::nullopt;
  }
  try {
    return ConstantOperator(model, op).compute();
  } catch (const FileObstacle&) {
    return std::nullopt;
  }
}

}  // namespace patchnas
