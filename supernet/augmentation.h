#pragma once

// From 8-bit images to a batch of normalised floats, augmented on the way.

#include <span>
#include <vector>

#include "arch/float_network.h"
#include "arch/random.h"
#include "supernet/image_set.h"

namespace patchnas {

struct Augmentation {
  int shift_pixels =
      0;  ///< both axes, uniform in [-n, n]; what comes in from outside is 0 (the pixel mean)
  bool flip = false;  ///< mirror horizontally, every second image on average
  bool operator==(const Augmentation&) const = default;
};

/// real = (pixel - mean) / stddev of images[indices], augmented with draws from `stream`.
/// @return [N, H, W, C]
std::vector<float> augmented_batch(const ImageSet& images, std::span<const int> indices,
                                   const PixelNormalisation& normalisation,
                                   const Augmentation& augmentation, RandomStream& stream);

/// The same without augmentation, for images [begin, end). @param target [end - begin, H, W, C]
void normalise_images(const ImageSet& images, int begin, int end,
                      const PixelNormalisation& normalisation, float* target);

}  // namespace patchnas
