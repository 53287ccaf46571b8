#pragma once

// From a stored image to the normalised floats that a network trains on.
//
//   const Augmenter augmenter(normalisation, {.flip = true, .cutout_pixels = 8}, /*crop_ratio=*/1);
//   RandomStream stream(seed, "train/image/17/0/5");
//   const std::int32_t label = augmenter.write(images, 42, resolution, stream, target);

#include <array>
#include <cstdint>
#include <vector>

#include "arch/base/random.h"
#include "arch/float_network.h"
#include "supernet/data/data_config.h"
#include "supernet/data/image_crop.h"
#include "supernet/data/image_store.h"

namespace patchnas {

class Augmenter {
 public:
  /// @param crop_ratio centre_crop(), for images that no random crop is taken of
  Augmenter(const PixelNormalisation& normalisation, const Augmentation& augmentation,
            double crop_ratio);

  /// Writes image `index`, seen through draws from `stream`, as real = (pixel - mean) / stddev.
  /// The draws do not depend on the resolution: two networks that are given equal streams see the
  /// same part of the image.
  /// @param target [resolution, resolution, C], all 0
  /// @return the label
  std::int32_t write(const ImageStore& images, int index, int resolution, RandomStream& stream,
                     float* target) const;

 private:
  [[nodiscard]] CropRectangle crop(int height, int width, RandomStream& stream) const;

  std::array<float, 256> table_;  ///< of normalised values
  Augmentation augmentation_;
  double crop_ratio_;
};

/// The table that turns pixels into what enters a network.
std::array<float, 256> normalised_values(const PixelNormalisation& normalisation);

/// Images [begin, end), normalised. @param target [end - begin, H, W, C]
void normalise_images(const ImageSet& images, int begin, int end,
                      const PixelNormalisation& normalisation, float* target);

}  // namespace patchnas
