#include "supernet/data/image_set.h"

namespace patchnas {

ImageSet subset(const ImageSet& images, std::span<const int> indices) {
  ImageSet result{images.height, images.width, images.channels, images.classes, {}, {}};
  result.pixels.reserve(indices.size() * images.image_bytes());
  result.labels.reserve(indices.size());
  for (const int index : indices) {
    const std::span<const std::uint8_t> image = images.image(index);
    result.pixels.insert(result.pixels.end(), image.begin(), image.end());
    result.labels.push_back(images.labels[static_cast<std::size_t>(index)]);
  }
  return result;
}

}  // namespace patchnas
