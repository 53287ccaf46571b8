#include "supernet/data/image_crop.h"

#include <algorithm>
#include <cmath>

#include <opencv2/imgproc.hpp>

#include "supernet/data/triangle_filter.h"

namespace patchnas {
namespace {

constexpr int kAttempts = 10;

int rounded(double value) { return static_cast<int>(std::lround(value)); }

int draw_offset(int room, RandomStream& stream) {
  return static_cast<int>(stream.below(static_cast<std::uint64_t>(room) + 1));
}

// So large, in the middle of so much.
CropRectangle centred(double inner_height, double inner_width, int height, int width) {
  const int h = std::clamp(rounded(inner_height), 1, height);
  const int w = std::clamp(rounded(inner_width), 1, width);
  return {(height - h) / 2, (width - w) / 2, h, w};
}

// The largest rectangle inside height x width with the shape of shape_height x shape_width, times
// `ratio`.
CropRectangle largest_inside(int height, int width, int shape_height, int shape_width,
                             double ratio) {
  const bool is_wide = std::int64_t{width} * shape_height >= std::int64_t{height} * shape_width;
  const double inner_height =
      is_wide ? height : static_cast<double>(width) * shape_height / shape_width;
  const double inner_width =
      is_wide ? static_cast<double>(height) * shape_width / shape_height : width;
  return centred(ratio * inner_height, ratio * inner_width, height, width);
}

}  // namespace

CropRectangle centre_crop(int height, int width, double ratio) {
  return largest_inside(height, width, 1, 1, ratio);
}

ImagePlacement placement(int height, int width, const TensorShape& shape, const ImageFit& fit) {
  const CropRectangle all_of_image{0, 0, height, width};
  const CropRectangle all_of_shape{0, 0, shape.height, shape.width};
  switch (fit.way) {
    case ResizeWay::kStretch:
      return {all_of_image, all_of_shape};
    case ResizeWay::kCrop:
      return {largest_inside(height, width, shape.height, shape.width, fit.crop_ratio),
              all_of_shape};
    case ResizeWay::kLetterbox:
      return {all_of_image, largest_inside(shape.height, shape.width, height, width, 1.0)};
  }
  return {};
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

void scale_crop(const StoredImage& image, const CropRectangle& crop, const PixelArea& target,
                ResizeFilter filter) {
  if (filter == ResizeFilter::kAntialias) {
    scale_by_triangles(image, crop, target);
    return;
  }
  const int type = CV_8UC(image.channels);
  // OpenCV has no matrix of constant data; the source is only read.
  const cv::Mat whole(image.height, image.width, type,
                      const_cast<std::uint8_t*>(image.pixels.data()));  // NOLINT
  const cv::Mat source = whole(cv::Rect(crop.left, crop.top, crop.width, crop.height));
  const cv::Size size(target.width, target.height);
  cv::Mat result(size, type, target.first, target.row_bytes);
  const cv::Size shrunk(std::min(crop.width, size.width), std::min(crop.height, size.height));
  if (source.size() == size) {
    source.copyTo(result);
  } else if (shrunk == source.size() || filter == ResizeFilter::kBilinear) {
    cv::resize(source, result, size, 0, 0, cv::INTER_LINEAR);
  } else if (shrunk == size) {
    cv::resize(source, result, size, 0, 0, cv::INTER_AREA);
  } else {
    cv::Mat between;
    cv::resize(source, between, shrunk, 0, 0, cv::INTER_AREA);
    cv::resize(between, result, size, 0, 0, cv::INTER_LINEAR);
  }
}

}  // namespace patchnas
