#include "deploy/tflite_value.h"

#include <algorithm>

namespace patchnas {

int FileValue::extent(FileAxis axis) const {
  switch (axis) {
    case FileAxis::kBatch:
      return 1;
    case FileAxis::kRows:
      return shape.height + margins.top + margins.bottom;
    case FileAxis::kCols:
      return shape.width + margins.left + margins.right;
    case FileAxis::kChannels:
      return shape.channels;
    case FileAxis::kFlat:
      return static_cast<int>(shape.elements());
  }
  return 0;
}

std::vector<int> FileValue::dimensions() const {
  std::vector<int> result;
  for (const FileAxis axis : axes) {
    result.push_back(extent(axis));
  }
  return result;
}

bool FileValue::is_ordered() const {
  FileAxis previous = FileAxis::kBatch;
  for (const FileAxis axis : axes) {
    if (extent(axis) > 1) {
      if (axis < previous) {
        return false;
      }
      previous = axis;
    }
  }
  return true;
}

bool FileValue::is_image() const {
  const bool flat = std::find(axes.begin(), axes.end(), FileAxis::kFlat) != axes.end();
  return is_ordered() && (!flat || shape.pixels() == 1);
}

}  // namespace patchnas
