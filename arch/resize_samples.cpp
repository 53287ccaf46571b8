#include "arch/resize_samples.h"

#include <algorithm>
#include <cmath>

namespace patchnas {
namespace {

// In single precision.
ResizeSample nearest(const Resizing& resizing, int input, int output, int position) {
  const bool corners = resizing.align_corners && output > 1;
  const float scale = static_cast<float>(corners ? input - 1 : input) /
                      static_cast<float>(corners ? output - 1 : output);
  const float at =
      (static_cast<float>(position) + (resizing.half_pixel_centers ? 0.5F : 0.0F)) * scale;
  const float whole = resizing.align_corners ? std::round(at) : std::floor(at);
  const int found = std::clamp(static_cast<int>(whole), 0, input - 1);
  return {.first = found, .second = found};
}

// With kResizeParts to one position of the input.
ResizeSample between_two(const Resizing& resizing, int input, int output, int position) {
  const bool corners = resizing.align_corners && output > 1;
  const std::int64_t from = corners ? input - 1 : input;
  const std::int64_t to = corners ? output - 1 : output;
  const std::int64_t scale = (kResizeParts * from + to / 2) / to;
  const std::int64_t at =
      position * scale + (resizing.half_pixel_centers ? scale / 2 - kResizeParts / 2 : 0);
  const std::int64_t last = input - 1;
  const std::int64_t first = std::clamp<std::int64_t>(at / kResizeParts, 0, last);
  const std::int64_t second =
      std::clamp<std::int64_t>((at + kResizeParts - 1) / kResizeParts, 0, last);
  // Between a position and itself there is nothing to weigh.
  return {.first = static_cast<int>(first),
          .second = static_cast<int>(second),
          .part = first == second ? 0 : static_cast<int>(at - first * kResizeParts)};
}

}  // namespace

ResizeSample resize_sample(const Resizing& resizing, int input, int output, int position) {
  return resizing.is_bilinear ? between_two(resizing, input, output, position)
                              : nearest(resizing, input, output, position);
}

std::vector<ResizeSample> resize_samples(const Resizing& resizing, int input, int output) {
  std::vector<ResizeSample> samples;
  for (int position = 0; position < output; ++position) {
    samples.push_back(resize_sample(resizing, input, output, position));
  }
  return samples;
}

}  // namespace patchnas
