#include "supernet/data/augmentation.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "supernet/data/colour_jitter.h"

namespace patchnas {
namespace {

struct Placement {
  int down = 0;
  int right = 0;
  bool flipped = false;
};

Placement draw_placement(const Augmentation& augmentation, RandomStream& stream) {
  Placement placement;
  if (augmentation.shift_pixels > 0) {
    const auto positions = static_cast<std::uint64_t>(2 * augmentation.shift_pixels + 1);
    placement.down = static_cast<int>(stream.below(positions)) - augmentation.shift_pixels;
    placement.right = static_cast<int>(stream.below(positions)) - augmentation.shift_pixels;
  }
  placement.flipped = augmentation.flip && stream.chance(0.5);
  return placement;
}

// `target` is zero: what the shift leaves uncovered stays so.
void place(std::span<const std::uint8_t> source, int side, int channels, const Placement& placement,
           const std::array<float, 256>& table, float* target) {
  const int first_x = std::max(0, placement.right);
  const int end_x = std::min(side, side + placement.right);
  for (int y = std::max(0, placement.down); y < std::min(side, side + placement.down); ++y) {
    const std::uint8_t* row = source.data() + std::ptrdiff_t{y - placement.down} * side * channels;
    float* out = target + std::ptrdiff_t{y} * side * channels;
    for (int x = first_x; x < end_x; ++x) {
      const int shifted = x - placement.right;
      const int from = placement.flipped ? side - 1 - shifted : shifted;
      for (int c = 0; c < channels; ++c) {
        out[x * channels + c] = table[row[from * channels + c]];
      }
    }
  }
}

void cut_out(int pixels, int side, int channels, RandomStream& stream, float* target) {
  const auto draw_first = [&] { return static_cast<int>(stream.uniform() * side) - pixels / 2; };
  const int top = draw_first();
  const int left = draw_first();
  const int first_x = std::max(0, left);
  const int end_x = std::min(side, left + pixels);
  for (int y = std::max(0, top); y < std::min(side, top + pixels); ++y) {
    float* row = target + std::ptrdiff_t{y} * side * channels;
    std::fill(row + std::ptrdiff_t{first_x} * channels, row + std::ptrdiff_t{end_x} * channels,
              0.0F);
  }
}

bool is_whole(const StoredImage& image, const CropRectangle& crop, int resolution) {
  return image.height == resolution && image.width == resolution &&
         crop == CropRectangle{0, 0, resolution, resolution};
}

}  // namespace

Augmenter::Augmenter(const PixelNormalisation& normalisation, const Augmentation& augmentation,
                     double crop_ratio)
    : table_(normalised_values(normalisation)),
      augmentation_(augmentation),
      crop_ratio_(crop_ratio) {}

CropRectangle Augmenter::crop(int height, int width, RandomStream& stream) const {
  return augmentation_.random_crop ? random_crop(height, width, *augmentation_.random_crop, stream)
                                   : centre_crop(height, width, crop_ratio_);
}

std::int32_t Augmenter::write(const ImageStore& images, int index, int resolution,
                              RandomStream& stream, float* target) const {
  const StoredImage image = images.image(index, [&](int height, int width) {
    RandomStream preview = stream;  // the same draws as below
    const CropRectangle rectangle = crop(height, width, preview);
    return std::min(1.0,
                    static_cast<double>(resolution) / std::min(rectangle.height, rectangle.width));
  });
  const CropRectangle rectangle = crop(image.height, image.width, stream);
  const ColourJitter jitter = draw_colour_jitter(augmentation_.brightness, augmentation_.contrast,
                                                 augmentation_.saturation, stream);
  const Placement placement = draw_placement(augmentation_, stream);
  if (is_whole(image, rectangle, resolution) && jitter == ColourJitter{}) {
    place(image.pixels, resolution, image.channels, placement, table_, target);
  } else {
    std::vector<std::uint8_t> scaled(static_cast<std::size_t>(resolution) *
                                     static_cast<std::size_t>(resolution * image.channels));
    scale_crop(image, rectangle,
               {scaled.data(), resolution, resolution,
                static_cast<std::size_t>(resolution * image.channels)});
    apply(jitter, image.channels, scaled);
    place(scaled, resolution, image.channels, placement, table_, target);
  }
  if (augmentation_.cutout_pixels > 0) {
    cut_out(augmentation_.cutout_pixels, resolution, image.channels, stream, target);
  }
  return image.label;
}

std::array<float, 256> normalised_values(const PixelNormalisation& normalisation) {
  std::array<float, 256> table{};
  for (int i = 0; i < 256; ++i) {
    table[static_cast<std::size_t>(i)] =
        static_cast<float>((i - normalisation.mean) / normalisation.stddev);
  }
  return table;
}

void normalise_images(const ImageSet& images, int begin, int end,
                      const PixelNormalisation& normalisation, float* target) {
  const std::array<float, 256> table = normalised_values(normalisation);
  const auto first = images.pixels.begin() + static_cast<std::ptrdiff_t>(begin) *
                                                 static_cast<std::ptrdiff_t>(images.image_bytes());
  std::transform(first,
                 first + static_cast<std::ptrdiff_t>(end - begin) *
                             static_cast<std::ptrdiff_t>(images.image_bytes()),
                 target, [&](std::uint8_t pixel) { return table[pixel]; });
}

}  // namespace patchnas
