#pragma once

// Which positions of the input a resized row or column comes from.

#include <vector>

#include "arch/network.h"

namespace patchnas {

/// Between which two positions of the input one of the output lies: `part` of the way, in
/// kResizeParts, from the first.
struct ResizeSample {
  int first = 0;
  int second = 0;
  int part = 0;
  bool operator==(const ResizeSample&) const = default;
};
inline constexpr int kResizeParts = 1 << 10;

/// Of one output position, as TensorFlow Lite Micro's integer kernels compute it. They never go
/// back from one position to the next.
ResizeSample resize_sample(const Resizing& resizing, int input, int output, int position);
/// One for each of `output` positions.
std::vector<ResizeSample> resize_samples(const Resizing& resizing, int input, int output);

}  // namespace patchnas
