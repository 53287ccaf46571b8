#include "supernet/data/triangle_filter.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace patchnas {
namespace {

constexpr int kWeightBits = 22;

/// What a pixel of the result is made of, along one axis.
struct Window {
  int first = 0;
  std::vector<std::int32_t> weights;  ///< in 2^-kWeightBits
};

Window window_of(int index, int from, int to) {
  const double scale = static_cast<double>(from) / to;
  const double radius = std::max(scale, 1.0);
  const double centre = (index + 0.5) * scale;
  const int first = std::max(0, static_cast<int>(std::floor(centre - radius + 0.5)));
  const int end = std::min(from, static_cast<int>(std::floor(centre + radius + 0.5)));
  std::vector<double> shares;
  double sum = 0.0;
  for (int i = first; i < end; ++i) {
    shares.push_back(std::max(0.0, 1.0 - std::abs(i + 0.5 - centre) / radius));
    sum += shares.back();
  }
  Window window{first, {}};
  for (const double share : shares) {
    window.weights.push_back(
        static_cast<std::int32_t>(std::lround(share / sum * (1 << kWeightBits))));
  }
  return window;
}

std::vector<Window> windows_of(int from, int to) {
  std::vector<Window> windows;
  for (int i = 0; i < to; ++i) {
    windows.push_back(window_of(i, from, to));
  }
  return windows;
}

/// @param source of the window's first value; `stride` to each further one
std::uint8_t weighted(const Window& window, const std::uint8_t* source, std::size_t stride) {
  std::int32_t sum = 1 << (kWeightBits - 1);
  for (const std::int32_t weight : window.weights) {
    sum += weight * *source;
    source += stride;
  }
  return static_cast<std::uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}

}  // namespace

void scale_by_triangles(const StoredImage& image, const CropRectangle& crop,
                        const PixelArea& target) {
  const auto channels = static_cast<std::size_t>(image.channels);
  const std::size_t image_row = static_cast<std::size_t>(image.width) * channels;
  const std::size_t row = static_cast<std::size_t>(target.width) * channels;
  const std::vector<Window> columns = windows_of(crop.width, target.width);
  std::vector<std::uint8_t> narrowed(static_cast<std::size_t>(crop.height) * row);
  for (std::size_t y = 0; y < static_cast<std::size_t>(crop.height); ++y) {
    const std::uint8_t* const source = image.pixels.data() +
                                       (static_cast<std::size_t>(crop.top) + y) * image_row +
                                       static_cast<std::size_t>(crop.left) * channels;
    for (std::size_t i = 0; i < row; ++i) {
      const Window& window = columns[i / channels];
      const std::size_t at = static_cast<std::size_t>(window.first) * channels + i % channels;
      narrowed[y * row + i] = weighted(window, source + at, channels);
    }
  }
  const std::vector<Window> rows = windows_of(crop.height, target.height);
  for (std::size_t y = 0; y < rows.size(); ++y) {
    const std::uint8_t* const source =
        narrowed.data() + static_cast<std::size_t>(rows[y].first) * row;
    for (std::size_t i = 0; i < row; ++i) {
      target.first[y * target.row_bytes + i] = weighted(rows[y], source + i, row);
    }
  }
}

}  // namespace patchnas
