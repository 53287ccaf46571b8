#pragma once

// How images of any size and shape fill those of one size.

#include <string_view>

namespace patchnas {

enum class ResizeWay {
  kStretch,    ///< all of the image, its shape changed to the other one
  kCrop,       ///< the largest part in the middle that has the other shape
  kLetterbox,  ///< all of the image in its own shape, black on both sides of it
};
inline constexpr ResizeWay kResizeWays[] = {ResizeWay::kStretch, ResizeWay::kCrop,
                                            ResizeWay::kLetterbox};

constexpr std::string_view to_string(ResizeWay way) {
  switch (way) {
    case ResizeWay::kStretch:
      return "stretch";
    case ResizeWay::kCrop:
      return "crop";
    case ResizeWay::kLetterbox:
      return "letterbox";
  }
  return "";
}

/// What a pixel of a smaller image is made of; that of a larger one is interpolated in either case.
enum class ResizeFilter {
  kArea,       ///< the mean of all pixels that it covers
  kBilinear,   ///< the four pixels around its centre
  kAntialias,  ///< all pixels around its centre, the nearer the more (triangle_filter.h)
};
inline constexpr ResizeFilter kResizeFilters[] = {ResizeFilter::kArea, ResizeFilter::kBilinear,
                                                  ResizeFilter::kAntialias};

constexpr std::string_view to_string(ResizeFilter filter) {
  switch (filter) {
    case ResizeFilter::kArea:
      return "area";
    case ResizeFilter::kBilinear:
      return "bilinear";
    case ResizeFilter::kAntialias:
      return "antialias";
  }
  return "";
}

struct ImageFit {
  ResizeWay way = ResizeWay::kCrop;
  double crop_ratio = 1.0;  ///< of kCrop: share of the part's height and width that is seen
  ResizeFilter filter = ResizeFilter::kArea;
  bool operator==(const ImageFit&) const = default;
};

}  // namespace patchnas
