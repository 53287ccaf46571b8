#include "supernet/data/evaluation_images.h"

#include <algorithm>
#include <numeric>

#include "supernet/data/image_crop.h"

namespace patchnas {
namespace {

// `target` is black.
void write(const ImageStore& images, int index, const TensorShape& shape, const ImageFit& fit,
           std::uint8_t* target) {
  const StoredImage image = images.image(index, [&](int height, int width) {
    if (fit.filter != ResizeFilter::kArea) {
      return 1.0;  // a smaller copy has areas averaged
    }
    const auto [from, to] = placement(height, width, shape, fit);
    return std::min(1.0, std::max(static_cast<double>(to.height) / from.height,
                                  static_cast<double>(to.width) / from.width));
  });
  const auto [from, to] = placement(image.height, image.width, shape, fit);
  const auto pixel_bytes = static_cast<std::size_t>(image.channels);
  const std::size_t row_bytes = static_cast<std::size_t>(shape.width) * pixel_bytes;
  std::uint8_t* const first = target + static_cast<std::size_t>(to.top) * row_bytes +
                              static_cast<std::size_t>(to.left) * pixel_bytes;
  scale_crop(image, from, {first, to.height, to.width, row_bytes}, fit.filter);
}

}  // namespace

ImageSet evaluation_images(const ImageStore& images, std::span<const int> indices,
                           const TensorShape& shape, const ImageFit& fit,
                           const BeforeEach& before_each) {
  ImageSet result{shape.height, shape.width, images.channels(), images.classes(), {}, {}};
  result.pixels.resize(indices.size() * result.image_bytes());
  std::vector<char> is_corrupt(indices.size());
  parallel_each(static_cast<int>(indices.size()), [&](int, int image) {
    if (before_each) {
      before_each();
    }
    const auto i = static_cast<std::size_t>(image);
    try {
      write(images, indices[i], shape, fit, result.pixels.data() + i * result.image_bytes());
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

ImageSet evaluation_images(const ImageStore& images, std::span<const int> indices, int resolution,
                           double crop_ratio) {
  return evaluation_images(images, indices, {resolution, resolution, images.channels()},
                           {ResizeWay::kCrop, crop_ratio});
}

ImageSet evaluation_images(const ImageStore& images, int resolution, double crop_ratio) {
  std::vector<int> all(static_cast<std::size_t>(images.size()));
  std::iota(all.begin(), all.end(), 0);
  return evaluation_images(images, all, resolution, crop_ratio);
}

}  // namespace patchnas
