#pragma once

// Images as an evaluation sees them: one size, no augmentation, all in memory.
//
//   const ImageSet some = evaluation_images(images, indices, network.input, ImageFit{});
//   const ImageSet all = evaluation_images(images, /*resolution=*/96, config.crop_ratio);

#include <span>

#include "arch/base/parallel.h"
#include "arch/network.h"
#include "supernet/data/image_fit.h"
#include "supernet/data/image_set.h"
#include "supernet/data/image_store.h"

namespace patchnas {

/// The images at `indices`, in that order, each scaled as placement() says. Corrupt ones are left
/// out. Decodes in all threads of parallel.h.
/// @param shape [H, W, C] of every result; C is that of `images` @param before_each of them
ImageSet evaluation_images(const ImageStore& images, std::span<const int> indices,
                           const TensorShape& shape, const ImageFit& fit,
                           const BeforeEach& before_each = {});

/// As our networks are trained for: centre_crop() of each, scaled to resolution x resolution.
ImageSet evaluation_images(const ImageStore& images, std::span<const int> indices, int resolution,
                           double crop_ratio);

/// All of them.
ImageSet evaluation_images(const ImageStore& images, int resolution, double crop_ratio);

}  // namespace patchnas
