#include "supernet/data/evaluation_images.h"

#include <algorithm>
#include <numeric>

#include "arch/base/parallel.h"
#include "supernet/data/image_crop.h"

namespace patchnas {
namespace {

void write(const ImageStore& images, int index, int resolution, double crop_ratio,
           std::uint8_t* target) {
  const StoredImage image = images.image(index, [&](int height, int width) {
    return std::min(
        1.0, static_cast<double>(resolution) / centre_crop(height, width, crop_ratio).height);
  });
  scale_crop(image, centre_crop(image.height, image.width, crop_ratio), resolution, target);
}

}  // namespace

ImageSet evaluation_images(const ImageStore& images, std::span<const int> indices, int resolution,
                           double crop_ratio) {
  ImageSet result{resolution, resolution, images.channels(), images.classes(), {}, {}};
  result.pixels.resize(indices.size() * result.image_bytes());
  std::vector<char> is_corrupt(indices.size());
  parallel_each(static_cast<int>(indices.size()), [&](int, int image) {
    const auto i = static_cast<std::size_t>(image);
    try {
      write(images, indices[i], resolution, crop_ratio,
            result.pixels.data() + i * result.image_bytes());
    } catch (const CorruptImageError&) {
      is_corrupt[i] = 1;
    }
  });
  std::vector<int> kept;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    result.labels.push_back(images.label(indices[i]));
    if (is_corrupt[i] == 0) {
      kept.push_back(static_cast<int>(i));
    }
  }
  return kept.size() == indices.size() ? result : subset(result, kept);
}

ImageSet evaluation_images(const ImageStore& images, int resolution, double crop_ratio) {
  std::vector<int> all(static_cast<std::size_t>(images.size()));
  std::iota(all.begin(), all.end(), 0);
  return evaluation_images(images, all, resolution, crop_ratio);
}

}  // namespace patchnas
