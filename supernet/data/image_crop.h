#pragma once

// Rectangles of images, and images of one size made from them.

#include <cstdint>

#include "arch/base/random.h"
#include "supernet/data/data_config.h"
#include "supernet/data/image_store.h"

namespace patchnas {

struct CropRectangle {
  int top = 0;
  int left = 0;
  int height = 0;
  int width = 0;
  bool operator==(const CropRectangle&) const = default;
};

/// What an evaluation sees: the square in the middle whose side is `ratio` of the shorter side.
/// With 0.875 that is what is usually said as "224 out of 256".
CropRectangle centre_crop(int height, int width, double ratio);

/// A rectangle of random area, shape and place (Szegedy et al., 2015); ten attempts, then the
/// largest one in the middle of an allowed shape.
CropRectangle random_crop(int height, int width, const CropRange& range, RandomStream& stream);

/// The rectangle as resolution x resolution pixels: areas are averaged along an axis that shrinks,
/// and interpolated linearly along one that grows. @param target [resolution, resolution, C]
void scale_crop(const StoredImage& image, const CropRectangle& crop, int resolution,
                std::uint8_t* target);

}  // namespace patchnas
