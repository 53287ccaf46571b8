#include "deploy/tflite/tflite_views.h"

#include <algorithm>
#include <string>

#include "arch/float_network.h"

namespace patchnas {
namespace {

constexpr std::size_t kValue = 2;  // PADV2's third input

template <typename T>
T one_number(const TfliteModel& model, const FileOperator& op, const std::vector<T>& values) {
  if (values.size() != 1) {
    model.fail(&op, op.input(kValue), "must be one number");
  }
  return values[0];
}

// Without a scale, what a PADV2 pads with does not matter.
FilePadding int8_fill(const TfliteModel& model, const FileOperator& op) {
  const std::optional<TensorQuantisation> stated = model.stated_quantisation(op.inputs[0]);
  const auto zero = static_cast<std::int8_t>(stated ? stated->zero_point : 0);
  if (op.input(kValue) < 0 || !stated) {
    return {.fill = MarginFill::kZero, .value = zero};
  }
  const std::int8_t value = one_number(model, op, model.int8_data(op.input(kValue), op));
  return {.fill = value == zero   ? MarginFill::kZero
                  : value == -128 ? MarginFill::kLowest
                                  : MarginFill::kOther,
          .value = value};
}

FilePadding float_fill(const TfliteModel& model, const FileOperator& op) {
  if (op.input(kValue) < 0) {
    return {};
  }
  const float real = one_number(model, op, model.float_data(op.input(kValue), op));
  if (real <= kLeastFill) {
    return {.fill = MarginFill::kLowest, .value = -128, .real = real};
  }
  return {.fill = real == 0.0F ? MarginFill::kZero : MarginFill::kOther, .real = real};
}

}  // namespace

FilePadding padding_of(const TfliteModel& model, const FileOperator& op, const FileValue& value,
                       tflite::TensorType type) {
  // Rows of [before, after], one for each dimension.
  const std::vector<std::int32_t> p = model.int32_data(op.input(1), op);
  if (p.size() != 2 * value.dimensions().size() ||
      !std::all_of(p.begin(), p.end(),
                   [](std::int32_t margin) { return margin >= 0 && margin <= kLargestExtent; })) {
    model.fail(
        &op, op.input(1),
        "must have two numbers for each dimension, from 0 to " + std::to_string(kLargestExtent));
  }
  FilePadding padding =
      type == tflite::TensorType::FLOAT32 ? float_fill(model, op) : int8_fill(model, op);
  for (std::size_t i = 0; i < p.size(); i += 2) {
    padding.before.push_back(p[i]);
    padding.after.push_back(p[i + 1]);
  }
  return padding;
}

std::optional<FileValue> padded_view(const FileValue& value, const FilePadding& padding) {
  FileValue view = value;
  view.has_pad_operator = true;
  for (std::size_t i = 0; i < padding.before.size(); ++i) {
    if (padding.before[i] == 0 && padding.after[i] == 0) {
      continue;
    }
    const FileAxis axis = value.axes.empty() ? FileAxis::kFlat : value.axes[i];
    if (axis == FileAxis::kRows) {
      view.margins.top += padding.before[i];
      view.margins.bottom += padding.after[i];
    } else if (axis == FileAxis::kCols) {
      view.margins.left += padding.before[i];
      view.margins.right += padding.after[i];
    } else {
      return std::nullopt;
    }
  }
  view.margin_fill = padding.fill;
  view.margin_value = padding.value;
  view.margin_real = padding.real;
  if (value.has_margins() &&
      (view.margin_value != value.margin_value || view.margin_real != value.margin_real)) {
    return std::nullopt;
  }
  return view;
}

FileValue reshaped_view(const TfliteModel& model, const FileOperator& op, const FileValue& value) {
  if (!value.is_ordered()) {
    model.fail(op, "reshapes a transposed tensor");
  }
  const std::vector<int> dimensions = model.dimensions(op.outputs[0], &op);
  if (element_count(dimensions) != element_count(value.dimensions())) {
    model.fail(op, "its output has another number of elements than its input");
  }
  if (value.id == kImage && !value.has_margins() && dimensions.size() == 4) {
    // The bytes of an image have the shape that the first layer reads.
    FileValue view = value;
    view.shape = shape_of(dimensions);
    return reread(view, dimensions);
  }
  FileValue view = reread(value, dimensions);
  if (view.has_margins() && !view.reread_as.empty()) {
    model.fail(op, "reshapes a padded tensor");
  }
  return view;
}

FileValue transposed_view(const TfliteModel& model, const FileOperator& op,
                          const FileValue& value) {
  if (value.axes.empty()) {
    model.fail(op, "transposes a tensor that was reshaped to other dimensions than its own");
  }
  FileValue view = value;
  view.axes.clear();
  for (const std::int32_t axis : model.int32_data(op.input(1), op)) {
    if (axis < 0 || axis >= static_cast<int>(value.axes.size())) {
      model.fail(&op, op.input(1), "names an axis that its input does not have");
    }
    view.axes.push_back(value.axes[static_cast<std::size_t>(axis)]);
  }
  if (!std::is_permutation(view.axes.begin(), view.axes.end(), value.axes.begin(),
                           value.axes.end())) {
    model.fail(&op, op.input(1), "is not a permutation of its input's axes");
  }
  return view.is_ordered() ? reread(view, view.dimensions()) : view;
}

}  // namespace patchnas
