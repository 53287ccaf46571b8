#pragma once

// Random brightness, contrast and saturation of 8-bit images.

#include <cstdint>
#include <span>

#include "arch/base/random.h"

namespace patchnas {

/// Factors, applied in this order.
struct ColourJitter {
  double brightness = 1.0;
  double contrast = 1.0;    ///< about the image's mean grey
  double saturation = 1.0;  ///< about each pixel's grey; grey images have none
  bool operator==(const ColourJitter&) const = default;
};

/// Each factor uniform in [1 - range, 1 + range]; a range of 0 draws nothing.
ColourJitter draw_colour_jitter(double brightness, double contrast, double saturation,
                                RandomStream& stream);

/// @param pixels [H, W, C]; grey, or RGB where C is 3
void apply(const ColourJitter& jitter, int channels, std::span<std::uint8_t> pixels);

}  // namespace patchnas
