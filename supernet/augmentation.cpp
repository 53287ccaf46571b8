#include "supernet/augmentation.h"

#include <algorithm>
#include <array>

namespace patchnas {
namespace {

using Table = std::array<float, 256>;

Table normalised_values(const PixelNormalisation& normalisation) {
  Table table{};
  for (int i = 0; i < 256; ++i) {
    table[static_cast<std::size_t>(i)] =
        static_cast<float>((i - normalisation.mean) / normalisation.stddev);
  }
  return table;
}

struct Placement {
  int down = 0;
  int right = 0;
  bool flipped = false;
};

Placement draw(const Augmentation& augmentation, RandomStream& stream) {
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
void place(const ImageSet& images, int index, const Placement& placement, const Table& table,
           float* target) {
  const std::span<const std::uint8_t> source = images.image(index);
  const int first_x = std::max(0, placement.right);
  const int end_x = std::min(images.width, images.width + placement.right);
  for (int y = std::max(0, placement.down);
       y < std::min(images.height, images.height + placement.down); ++y) {
    const std::uint8_t* row =
        source.data() + std::ptrdiff_t{y - placement.down} * images.width * images.channels;
    float* out = target + std::ptrdiff_t{y} * images.width * images.channels;
    for (int x = first_x; x < end_x; ++x) {
      const int shifted = x - placement.right;
      const int from = placement.flipped ? images.width - 1 - shifted : shifted;
      for (int c = 0; c < images.channels; ++c) {
        out[x * images.channels + c] = table[row[from * images.channels + c]];
      }
    }
  }
}

}  // namespace

std::vector<float> augmented_batch(const ImageSet& images, std::span<const int> indices,
                                   const PixelNormalisation& normalisation,
                                   const Augmentation& augmentation, RandomStream& stream) {
  const Table table = normalised_values(normalisation);
  std::vector<float> batch(indices.size() * images.image_bytes(), 0.0F);
  for (std::size_t i = 0; i < indices.size(); ++i) {
    place(images, indices[i], draw(augmentation, stream), table,
          batch.data() + i * images.image_bytes());
  }
  return batch;
}

void normalise_images(const ImageSet& images, int begin, int end,
                      const PixelNormalisation& normalisation, float* target) {
  const Table table = normalised_values(normalisation);
  const auto first = images.pixels.begin() + static_cast<std::ptrdiff_t>(begin) *
                                                 static_cast<std::ptrdiff_t>(images.image_bytes());
  std::transform(first,
                 first + static_cast<std::ptrdiff_t>(end - begin) *
                             static_cast<std::ptrdiff_t>(images.image_bytes()),
                 target, [&](std::uint8_t pixel) { return table[pixel]; });
}

}  // namespace patchnas
