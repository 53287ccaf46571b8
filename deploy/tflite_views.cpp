#include "deploy/tflite_views.h"

#include <algorithm>
#include <string>

namespace patchnas {

FileValue padded_view(const TfliteModel& model, const FileOperator& op, const FileValue& value) {
  // Rows of [before, after] for the dimensions N, H, W, C.
  const std::vector<std::int32_t> p = model.int32_data(op.input(1), op);
  const auto allowed = [](std::int32_t margin) { return margin >= 0 && margin <= kLargestExtent; };
  if (value.axes.size() != 4 || p.size() != 8 || p[0] != 0 || p[1] != 0 || p[6] != 0 || p[7] != 0 ||
      !std::all_of(p.begin(), p.end(), allowed)) {
    model.fail(
        &op, op.input(1),
        "only rows and columns may be padded, by 0 to " + std::to_string(kLargestExtent) + " each");
  }
  FileValue view = value;
  view.margins.top += p[2];
  view.margins.bottom += p[3];
  view.margins.left += p[4];
  view.margins.right += p[5];
  view.has_pad_operator = true;
  return view;
}

FileValue reshaped_view(const TfliteModel& model, const FileOperator& op, const FileValue& value) {
  if (value.has_margins() || !value.is_ordered()) {
    model.fail(op, "reshapes a padded or transposed tensor");
  }
  FileValue view = value;
  const std::vector<int> shape = model.dimensions(op.outputs[0], &op);
  if (shape != value.dimensions()) {
    view.axes.assign(shape.empty() ? 0 : shape.size() - 1, FileAxis::kBatch);
    view.axes.push_back(value.shape.pixels() == 1 ? FileAxis::kChannels : FileAxis::kFlat);
  }
  return view;
}

FileValue transposed_view(const TfliteModel& model, const FileOperator& op,
                          const FileValue& value) {
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
  return view;
}

}  // namespace patchnas
