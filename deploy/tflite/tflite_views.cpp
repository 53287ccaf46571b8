#include "deploy/tflite/tflite_views.h"

#include <algorithm>
#include <string>

namespace patchnas {
namespace {

MarginFill fill_of(const TfliteModel& model, const FileOperator& op,
                   std::optional<std::int32_t> zero_point) {
  constexpr int kValue = 2;  // PADV2's third input
  if (op.input(kValue) < 0 || !zero_point) {
    return MarginFill::kZero;
  }
  const std::vector<std::int8_t> value = model.int8_data(op.input(kValue), op);
  if (value.size() == 1 && value[0] == *zero_point) {
    return MarginFill::kZero;
  }
  if (value.size() != 1 || value[0] != -128) {
    model.fail(&op, op.input(kValue), "pads with something other than the zero point, or -128");
  }
  return MarginFill::kLowest;
}

}  // namespace

FileValue padded_view(const TfliteModel& model, const FileOperator& op, const FileValue& value,
                      std::optional<std::int32_t> zero_point) {
  // Rows of [before, after], one for each dimension.
  const std::vector<std::int32_t> p = model.int32_data(op.input(1), op);
  const auto refuse = [&] {
    model.fail(
        &op, op.input(1),
        "only rows and columns may be padded, by 0 to " + std::to_string(kLargestExtent) + " each");
  };
  if (p.size() != 2 * value.dimensions().size() ||
      !std::all_of(p.begin(), p.end(),
                   [](std::int32_t margin) { return margin >= 0 && margin <= kLargestExtent; })) {
    refuse();
  }
  FileValue view = value;
  view.has_pad_operator = true;
  for (std::size_t i = 0; i < p.size(); i += 2) {
    if (p[i] == 0 && p[i + 1] == 0) {
      continue;
    }
    const FileAxis axis = value.axes.empty() ? FileAxis::kFlat : value.axes[i / 2];
    if (axis == FileAxis::kRows) {
      view.margins.top += p[i];
      view.margins.bottom += p[i + 1];
    } else if (axis == FileAxis::kCols) {
      view.margins.left += p[i];
      view.margins.right += p[i + 1];
    } else {
      refuse();
    }
  }
  view.margin_fill = fill_of(model, op, zero_point);
  if (value.has_margins() && view.has_margins() && view.margin_fill != value.margin_fill) {
    model.fail(op, "pads a tensor that is already padded with another value");
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
