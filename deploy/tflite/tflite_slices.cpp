#include "deploy/tflite/tflite_slices.h"

#include <algorithm>
#include <string>

namespace patchnas {

FileSlice slice_of(const TfliteModel& model, const FileOperator& op, const std::vector<int>& from) {
  const std::vector<std::int32_t> begins = model.int32_data(op.input(1), op);
  const std::vector<std::int32_t> ends = model.int32_data(op.input(2), op);
  const bool is_strided = op.code == tflite::BuiltinOperator::STRIDED_SLICE;
  const std::vector<std::int32_t> steps =
      is_strided ? model.int32_data(op.input(3), op) : std::vector<std::int32_t>(from.size(), 1);
  if (from.empty() || begins.size() != from.size() || ends.size() != from.size() ||
      steps.size() != from.size()) {
    model.fail(op, "needs one number for each dimension of its input, and at least one");
  }
  int begin_mask = 0;
  int end_mask = 0;
  int shrink_mask = 0;
  if (is_strided) {
    const auto& o = model.options<tflite::StridedSliceOptions>(op);
    if (o.ellipsis_mask() != 0 || o.new_axis_mask() != 0 || o.offset()) {
      model.fail(op, "has an ellipsis, a new axis or offsets, which are not supported");
    }
    begin_mask = o.begin_mask();
    end_mask = o.end_mask();
    shrink_mask = o.shrink_axis_mask();
  }
  FileSlice slice;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto is_set = [i](int mask) { return (mask >> i & 1) != 0; };
    const auto from_front = [&](std::int64_t at) {
      return std::clamp<std::int64_t>(at < 0 ? at + from[i] : at, 0, from[i]);
    };
    const std::int64_t begin = is_set(begin_mask) ? 0 : from_front(begins[i]);
    std::int64_t end = is_strided    ? from_front(ends[i])
                       : ends[i] < 0 ? from[i]
                                     : from_front(begin + ends[i]);
    end = is_set(shrink_mask) ? begin + 1 : is_set(end_mask) ? from[i] : end;
    if (steps[i] < 1 || begin >= end || end > from[i]) {
      model.fail(op, "takes nothing of dimension " + std::to_string(i) + ", or in reverse");
    }
    slice.begins.push_back(static_cast<int>(begin));
    slice.counts.push_back(static_cast<int>((end - begin - 1) / steps[i] + 1));
    slice.steps.push_back(slice.counts.back() == 1 ? 1 : steps[i]);
  }
  return slice;
}

}  // namespace patchnas
