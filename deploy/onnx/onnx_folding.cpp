#include "deploy/onnx/onnx_folding.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string_view>
#include <unordered_map>

#include "deploy/import/dimensions.h"
#include "deploy/import/file_obstacles.h"

namespace patchnas {
namespace {

using onnx::TensorProto;

class Folding {
 public:
  Folding(const OnnxModel& model, const OnnxNode& node, const OnnxConstants& constants)
      : model_(model), node_(node), constants_(constants) {}

  [[nodiscard]] std::optional<OnnxConstant> run() const {
    using Fold = OnnxConstant (Folding::*)() const;
    static const std::unordered_map<std::string_view, Fold> folds = {
        {"Add", &Folding::combined},
        {"Cast", &Folding::cast},
        {"Concat", &Folding::concatenated},
        {"Constant", &Folding::constant},
        {"ConstantOfShape", &Folding::filled},
        {"DequantizeLinear", &Folding::dequantised},
        {"Div", &Folding::combined},
        {"Dropout", &Folding::viewed},
        {"Flatten", &Folding::viewed},
        {"Gather", &Folding::gathered},
        {"Identity", &Folding::viewed},
        {"Mul", &Folding::combined},
        {"QuantizeLinear", &Folding::quantised},
        {"Reshape", &Folding::viewed},
        {"Shape", &Folding::shape},
        {"Slice", &Folding::sliced},
        {"Squeeze", &Folding::viewed},
        {"Sub", &Folding::combined},
        {"Transpose", &Folding::with_axes_exchanged},
        {"Unsqueeze", &Folding::viewed}};
    const auto found = folds.find(node_.op);
    return found == folds.end() ? std::nullopt : std::optional((this->*found->second)());
  }

 private:
  [[nodiscard]] const OnnxConstant& input(std::size_t position) const {
    if (position >= constants_.size() || constants_[position] == nullptr) {
      model_.fail(node_, "has no input " + std::to_string(position));
    }
    return *constants_[position];
  }
  // Results beyond any weights are refused: nodes may repeat, and again what they repeated.
  void check_count(std::int64_t count) const {
    constexpr std::int64_t kMostFolded = 1 << 24;
    if (count > kMostFolded) {
      model_.fail(node_, "computes more than " + std::to_string(kMostFolded) + " constants");
    }
  }
  // For arithmetic, which has lost its scale.
  [[nodiscard]] OnnxConstant plain_input(std::size_t position) const {
    OnnxConstant result = input(position);
    if (result.quantisation) {
      result.values = result.real_values();
      result.type = ConstantType::kFloat;
      result.quantisation.reset();
    }
    return result;
  }

  [[nodiscard]] OnnxConstant constant() const {
    if (const onnx::AttributeProto* const value = model_.attribute(node_, "value")) {
      return model_.constant(value->t(), node_.output(), &node_);
    }
    if (const onnx::AttributeProto* const value = model_.attribute(node_, "value_float")) {
      return {.type = ConstantType::kFloat, .dimensions = {}, .values = {value->f()}};
    }
    if (const onnx::AttributeProto* const value = model_.attribute(node_, "value_int")) {
      return {.type = ConstantType::kInt64,
              .dimensions = {},
              .values = {static_cast<double>(value->i())}};
    }
    if (const onnx::AttributeProto* const list = model_.attribute(node_, "value_floats")) {
      return {.type = ConstantType::kFloat,
              .dimensions = {list->floats_size()},
              .values = {list->floats().begin(), list->floats().end()}};
    }
    if (const auto list = model_.integers(node_, "value_ints")) {
      return {.type = ConstantType::kInt64,
              .dimensions = {static_cast<int>(list->size())},
              .values = {list->begin(), list->end()}};
    }
    model_.fail(node_, "has no value; allowed: value, value_float, value_int and lists of these");
  }

  [[nodiscard]] OnnxConstant viewed() const {
    OnnxConstant result = input(0);
    if (node_.op != "Identity" && node_.op != "Dropout" && result.quantisation &&
        result.quantisation->scales.size() > 1) {
      result = plain_input(0);
    }
    result.dimensions = viewed_dimensions(model_, node_, result.dimensions, constants_);
    return result;
  }

  [[nodiscard]] OnnxConstant shape() const {
    return shape_constant(model_, node_, input(0).dimensions);
  }

  [[nodiscard]] OnnxConstant with_axes_exchanged() const {
    const OnnxConstant& from = input(0);
    return transposed(from, transposed_order(model_, node_, from.dimensions.size()));
  }

  [[nodiscard]] OnnxConstant cast() const {
    OnnxConstant result = plain_input(0);
    switch (model_.integer(node_, "to", 0)) {
      case TensorProto::FLOAT:
      case TensorProto::DOUBLE:
        result.type = ConstantType::kFloat;
        return result;
      case TensorProto::INT32:
        result.type = ConstantType::kInt32;
        break;
      case TensorProto::INT64:
        result.type = ConstantType::kInt64;
        break;
      default:
        model_.fail(node_, "casts a constant to " +
                               onnx_type_name(static_cast<int>(model_.integer(node_, "to", 0))) +
                               "; allowed: float32, float64, int32, int64");
    }
    std::transform(result.values.begin(), result.values.end(), result.values.begin(),
                   [](double value) { return std::trunc(value); });
    return result;
  }

  [[nodiscard]] OnnxConstant filled() const {
    OnnxConstant value{.type = ConstantType::kFloat, .dimensions = {}, .values = {0.0}};
    if (const onnx::AttributeProto* const stated = model_.attribute(node_, "value")) {
      value = model_.constant(stated->t(), node_.output(), &node_);
    }
    OnnxConstant result{.type = value.type, .dimensions = {}, .values = {}};
    std::int64_t count = 1;
    for (const std::int64_t dimension :
         integer_input(model_, node_, constants_, 0).value_or(std::vector<std::int64_t>{})) {
      if (dimension < 0 || value.values.size() != 1) {
        model_.fail(node_, "needs one value, and dimensions from 0 on");
      }
      check_count(dimension);
      count *= dimension;
      check_count(count);
      result.dimensions.push_back(static_cast<int>(dimension));
    }
    result.values.assign(static_cast<std::size_t>(count), value.values.front());
    return result;
  }

  [[nodiscard]] OnnxConstant gathered() const {
    const OnnxConstant from = plain_input(0);
    const std::size_t axis =
        axis_of(model_, node_, model_.integer(node_, "axis", 0), from.dimensions.size());
    const std::vector<int> strides = strides_of(from.dimensions);
    const std::int64_t extent = from.dimensions[axis];
    std::vector<std::size_t> begins;  // of what is taken, along the axis
    for (const std::int64_t index :
         integer_input(model_, node_, constants_, 1).value_or(std::vector<std::int64_t>{})) {
      if (index < -extent || index >= extent) {
        model_.fail(node_,
                    "takes element " + std::to_string(index) + " of " + std::to_string(extent));
      }
      begins.push_back(
          static_cast<std::size_t>((index < 0 ? index + extent : index) * strides[axis]));
    }
    const std::vector<int>& taken = input(1).dimensions;
    OnnxConstant result{.type = from.type, .dimensions = from.dimensions, .values = {}};
    const auto at = result.dimensions.begin() + static_cast<std::ptrdiff_t>(axis);
    result.dimensions.insert(result.dimensions.erase(at), taken.begin(), taken.end());
    const auto block = static_cast<std::size_t>(strides[axis] * extent);
    check_count(block == 0 ? 0
                           : static_cast<std::int64_t>(from.values.size() / block * begins.size()) *
                                 strides[axis]);
    for (std::size_t outer = 0; outer < from.values.size(); outer += block) {
      for (const std::size_t begin : begins) {
        const auto first = from.values.begin() + static_cast<std::ptrdiff_t>(outer + begin);
        result.values.insert(result.values.end(), first, first + strides[axis]);
      }
    }
    return result;
  }

  // Lists of numbers, which is what shapes are made of.
  [[nodiscard]] OnnxConstant concatenated() const {
    OnnxConstant result = plain_input(0);
    for (std::size_t i = 0; i < constants_.size(); ++i) {
      const OnnxConstant next = plain_input(i);
      if (next.dimensions.size() != 1 || result.dimensions.size() != 1) {
        model_.fail(node_, "concatenates constants that are no lists");
      }
      if (i > 0) {
        result.values.insert(result.values.end(), next.values.begin(), next.values.end());
        result.dimensions[0] += next.dimensions[0];
        check_count(result.dimensions[0]);
      }
    }
    return result;
  }

  [[nodiscard]] OnnxConstant sliced() const {
    const OnnxConstant from = plain_input(0);
    const OnnxSlice slice = slice_of(model_, node_, from.dimensions, constants_);
    std::vector<int> strides = strides_of(from.dimensions);
    std::size_t begin = 0;
    for (std::size_t i = 0; i < strides.size(); ++i) {
      begin += static_cast<std::size_t>(slice.begins[i]) * static_cast<std::size_t>(strides[i]);
      strides[i] *= slice.steps[i];
    }
    OnnxConstant result{.type = from.type, .dimensions = slice.counts, .values = {}};
    for_each_offset(slice.counts, strides, [&](std::size_t offset) {
      result.values.push_back(from.values[begin + offset]);
    });
    return result;
  }

  [[nodiscard]] OnnxConstant combined() const {
    const OnnxConstant a = plain_input(0);
    const OnnxConstant b = plain_input(1);
    const std::optional<std::vector<int>> to = broadcast(a.dimensions, b.dimensions);
    if (!to) {
      model_.fail(node_, "combines constants of shapes " + dimensions_text(a.dimensions) + " and " +
                             dimensions_text(b.dimensions));
    }
    check_count(element_count(*to));
    const auto places = [&](const OnnxConstant& operand) {
      std::vector<std::size_t> result;
      for_each_offset(*to,
                      repeated_strides(operand.dimensions, strides_of(operand.dimensions), *to),
                      [&](std::size_t place) { result.push_back(place); });
      return result;
    };
    const std::vector<std::size_t> of_a = places(a);
    const std::vector<std::size_t> of_b = places(b);
    OnnxConstant result{.type = a.type, .dimensions = *to, .values = {}};
    for (std::size_t i = 0; i < of_a.size(); ++i) {
      result.values.push_back(combine(a.values[of_a[i]], b.values[of_b[i]], a.is_float()));
    }
    return result;
  }

  [[nodiscard]] double combine(double a, double b, bool is_float) const {
    if (node_.op == "Add") {
      return a + b;
    }
    if (node_.op == "Sub") {
      return a - b;
    }
    if (node_.op == "Mul") {
      return a * b;
    }
    if (!is_float && b == 0) {
      model_.fail(node_, "divides by 0");
    }
    return is_float ? a / b : std::trunc(a / b);
  }

  [[nodiscard]] OnnxConstant quantised() const {
    OnnxConstant result = plain_input(0);
    result.type = quantised_type(model_, node_, constants_);
    // The scale of each value is found as that of a constant so quantised.
    result.quantisation = quantisation_of(model_, node_, result.dimensions, constants_);
    const double least = result.type == ConstantType::kInt8 ? -128 : 0;
    for (std::size_t i = 0; i < result.values.size(); ++i) {
      const std::size_t channel = result.channel_of(i);
      const double steps = std::nearbyint(static_cast<float>(result.values[i]) /
                                          result.quantisation->scales[channel]) +
                           result.quantisation->zero_points[channel];
      result.values[i] = std::isnan(steps) ? 0 : std::clamp(steps, least, least + 255);
    }
    result.quantisation.reset();
    return result;
  }

  [[nodiscard]] OnnxConstant dequantised() const {
    OnnxConstant result = input(0);
    if (result.is_float()) {
      model_.fail(node_, "dequantises a constant that is no integer");
    }
    result.quantisation = quantisation_of(model_, node_, result.dimensions, constants_);
    return result;
  }

  const OnnxModel& model_;
  const OnnxNode& node_;
  const OnnxConstants& constants_;
};

}  // namespace

std::optional<OnnxConstant> fold(const OnnxModel& model, const OnnxNode& node,
                                 const OnnxConstants& constants) {
  return Folding(model, node, constants).run();
}

OnnxConstant shape_constant(const OnnxModel& model, const OnnxNode& node,
                            const std::vector<int>& dimensions) {
  const auto rank = static_cast<std::int64_t>(dimensions.size());
  const auto inside = [&](std::int64_t at) {
    return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const std::int64_t begin = inside(model.integer(node, "start", 0));
  const std::int64_t end = std::max(begin, inside(model.integer(node, "end", rank)));
  return {.type = ConstantType::kInt64,
          .dimensions = {static_cast<int>(end - begin)},
          .values = {dimensions.begin() + begin, dimensions.begin() + end}};
}

ConstantQuantisation quantisation_of(const OnnxModel& model, const OnnxNode& node,
                                     const std::vector<int>& dimensions,
                                     const OnnxConstants& constants) {
  const auto constant = [&](std::size_t position) {
    return position < constants.size() ? constants[position] : nullptr;
  };
  const OnnxConstant* const scales = constant(1);
  const OnnxConstant* const zero_points = constant(2);
  if (scales == nullptr || (node.has_input(2) && zero_points == nullptr)) {
    model.fail(node, "its scale and zero point must be constants");
  }
  if (model.integer(node, "block_size", 0) != 0) {
    model.fail(node, "quantises in blocks, which is not supported");
  }
  ConstantQuantisation result;
  const std::size_t count = scales->values.size();
  if (count > 1) {
    result.axis = axis_of(model, node, model.integer(node, "axis", 1), dimensions.size());
  }
  const bool fits = count == 1 || (scales->dimensions.size() == 1 &&
                                   scales->dimensions[0] == dimensions[result.axis]);
  if (count == 0 || !fits || (zero_points != nullptr && zero_points->values.size() != count)) {
    model.fail(node, "needs one scale and zero point, or one for each element of its axis");
  }
  for (std::size_t i = 0; i < count; ++i) {
    result.scales.push_back(static_cast<float>(scales->values[i]));
    const double zero_point = zero_points == nullptr ? 0 : zero_points->values[i];
    if (!(std::abs(zero_point) <= 255)) {
      model.fail(node, "its zero points must be in the range of int8 or uint8");
    }
    result.zero_points.push_back(static_cast<std::int32_t>(zero_point));
  }
  return result;
}

ConstantType quantised_type(const OnnxModel& model, const OnnxNode& node,
                            const OnnxConstants& constants) {
  const bool has_zero_point = constants.size() > 2 && constants[2] != nullptr;
  const std::int64_t stated = model.integer(node, "output_dtype", 0);
  const ConstantType type = has_zero_point                ? constants[2]->type
                            : stated == TensorProto::INT8 ? ConstantType::kInt8
                                                          : ConstantType::kUint8;
  if ((type != ConstantType::kInt8 && type != ConstantType::kUint8) ||
      (!has_zero_point && stated != 0 && stated != TensorProto::INT8 &&
       stated != TensorProto::UINT8)) {
    model.fail(node, "quantises to other numbers than int8 or uint8");
  }
  return type;
}

}  // namespace patchnas
