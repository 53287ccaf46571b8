#pragma once

// Bilinear resizing as Pillow and torchvision do it: where an image shrinks, the triangle that
// weights its pixels grows with it, so that every pixel counts (antialiasing). Computed as Pillow
// computes it, to the bit: first along the rows, then along the columns, each in integers and
// rounded to 8 bits. Its weights: https://pillow.readthedocs.io, concepts, filters.

#include "supernet/data/image_crop.h"

namespace patchnas {

/// Fills the area with the rectangle.
void scale_by_triangles(const StoredImage& image, const CropRectangle& crop,
                        const PixelArea& target);

}  // namespace patchnas
