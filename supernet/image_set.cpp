#include "supernet/image_set.h"

#include <opencv2/imgproc.hpp>

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

ImageSet resized(const ImageSet& images, int resolution) {
  if (images.height == resolution && images.width == resolution) {
    return images;
  }
  ImageSet result{resolution, resolution, images.channels, images.classes, {}, images.labels};
  result.pixels.resize(images.labels.size() * result.image_bytes());
  const int type = CV_8UC(images.channels);
  const bool shrinks = resolution < images.height && resolution < images.width;
  const int method = shrinks ? cv::INTER_AREA : cv::INTER_LINEAR;
  for (int i = 0; i < images.size(); ++i) {
    // OpenCV has no matrix of constant data; the source is only read.
    const cv::Mat source(images.height, images.width, type,
                         const_cast<std::uint8_t*>(images.image(i).data()));  // NOLINT
    cv::Mat target(resolution, resolution, type,
                   result.pixels.data() + static_cast<std::size_t>(i) * result.image_bytes());
    cv::resize(source, target, target.size(), 0, 0, method);
  }
  return result;
}

}  // namespace patchnas
