#pragma once

// From a stored image to the normalised floats that a network trains on.
//
//   const Augmenter augmenter(normalisation, {.flip = true, .cutout_pixels = 8}, /*crop_ratio=*/1);
//   RandomStream stream(seed, "train/image/17/0/5");
//   const std::int32_t label = augmenter.write(images, 42, resolution, stream, target);

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "arch/float_network.h"
#include "arch/random.h"
#include "supernet/image_crop.h"
#include "supernet/image_store.h"

namespace patchnas {

struct Augmentation {
  int shift_pixels =
      0;  ///< both axes, uniform in [-n, n]; what comes in from outside is 0 (the pixel mean)
  bool flip = false;  ///< mirror horizontally, every second image on average
  std::optional<CropRange> random_crop = std::nullopt;  ///< none: what an evaluation sees
  // Factors are uniform in [1 - n, 1 + n], applied in this order, rounded to 8 bits once.
  double brightness = 0.0;
  double contrast = 0.0;    ///< about the image's mean grey
  double saturation = 0.0;  ///< about each pixel's grey
  int cutout_pixels = 0;    ///< side of a square of 0 anywhere, cut at the borders (DeVries, 2017)
  bool operator==(const Augmentation&) const = default;
};

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
