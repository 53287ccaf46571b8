#pragma once

// Images as an evaluation sees them: one size, no augmentation, all in memory.

#include <span>
#include <vector>

#include "supernet/data/image_set.h"
#include "supernet/data/image_store.h"

namespace patchnas {

/// The images at `indices`, in that order: centre_crop() of each, scaled to resolution x
/// resolution. Corrupt ones are left out. Decodes in all threads of parallel.h.
ImageSet evaluation_images(const ImageStore& images, std::span<const int> indices, int resolution,
                           double crop_ratio);

/// All of them.
ImageSet evaluation_images(const ImageStore& images, int resolution, double crop_ratio);

}  // namespace patchnas
