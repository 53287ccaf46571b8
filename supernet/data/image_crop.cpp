#include "supernet/data/image_crop.h"

#include <algorithm>
#include <cmath>

#include <opencv2/imgproc.hpp>

namespace patchnas {
namespace {

constexpr int kAttempts = 10;

int rounded(double value) { return static_cast<int>(std::lround(value)); }

int draw_offset(int room, RandomStream& stream) {
  return static_cast<int>(stream.below(static_cast<std::uint64_t>(room) + 1));
}

}  // namespace

CropRectangle centre_crop(int height, int width, double ratio) {
  const int side = std::max(1, rounded(ratio * std::min(height, width)));
  return {(height - side) / 2, (width - side) / 2, side, side};
}

CropRectangle random_crop(int height, int width, const CropRange& range, RandomStream& stream) {
  const double area = static_cast<double>(height) * width;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const double scale = range.min_scale + stream.uniform() * (range.max_scale - range.min_scale);
    const double aspect =
        range.min_aspect * std::pow(range.max_aspect / range.min_aspect, stream.uniform());
    const int crop_height = rounded(std::sqrt(area * scale / aspect));
    const int crop_width = rounded(std::sqrt(area * scale * aspect));
    if (crop_height >= 1 && crop_height <= height && crop_width >= 1 && crop_width <= width) {
      const int top = draw_offset(height - crop_height, stream);
      return {top, draw_offset(width - crop_width, stream), crop_height, crop_width};
    }
  }
  const int crop_height = std::clamp(rounded(width / range.min_aspect), 1, height);
  const int crop_width = std::clamp(rounded(height * range.max_aspect), 1, width);
  return {(height - crop_height) / 2, (width - crop_width) / 2, crop_height, crop_width};
}

void scale_crop(const StoredImage& image, const CropRectangle& crop, int resolution,
                std::uint8_t* target) {
  const int type = CV_8UC(image.channels);
  // OpenCV has no matrix of constant data; the source is only read.
  const cv::Mat whole(image.height, image.width, type,
                      const_cast<std::uint8_t*>(image.pixels.data()));  // NOLINT
  const cv::Mat source = whole(cv::Rect(crop.left, crop.top, crop.width, crop.height));
  const cv::Size size(resolution, resolution);
  cv::Mat result(size, type, target);
  const cv::Size shrunk(std::min(crop.width, resolution), std::min(crop.height, resolution));
  if (shrunk == source.size()) {
    if (shrunk == size) {
      source.copyTo(result);
    } else {
      cv::resize(source, result, size, 0, 0, cv::INTER_LINEAR);
    }
  } else if (shrunk == size) {
    cv::resize(source, result, size, 0, 0, cv::INTER_AREA);
  } else {
    cv::Mat between;
    cv::resize(source, between, shrunk, 0, 0, cv::INTER_AREA);
    cv::resize(between, result, size, 0, 0, cv::INTER_LINEAR);
  }
}

}  // namespace patchnas
