#pragma once

// Rectangles of images, and images of one size made from them.

#include <cstddef>
#include <cstdint>

#include "arch/base/random.h"
#include "arch/network.h"
#include "supernet/data/data_config.h"
#include "supernet/data/image_fit.h"
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

/// What of an image goes where in one of another size.
struct ImagePlacement {
  CropRectangle from;  ///< of the image
  CropRectangle to;    ///< of the other one, which is black around it
};

/// @param shape the other one's height and width
/// @param fit its crop of a square is centre_crop()
ImagePlacement placement(int height, int width, const TensorShape& shape, const ImageFit& fit);

/// 8-bit pixels in memory, [H, W, C] but for what may lie between the rows.
struct PixelArea {
  std::uint8_t* first = nullptr;
  int height = 0;
  int width = 0;
  std::size_t row_bytes = 0;  ///< from one row to the next
};

/// Fills the area with the rectangle: what shrinks by the filter, what grows interpolated linearly.
void scale_crop(const StoredImage& image, const CropRectangle& crop, const PixelArea& target,
                ResizeFilter filter = ResizeFilter::kArea);

}  // namespace patchnas
