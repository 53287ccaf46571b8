#pragma once

// 8-bit images with labels, all in memory.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace patchnas {

struct ImageSet {
  int height = 0;
  int width = 0;
  int channels = 0;
  int classes = 0;
  std::vector<std::uint8_t> pixels;  ///< [N, H, W, C]
  std::vector<std::int32_t> labels;  ///< [N], each in [0, classes)

  [[nodiscard]] int size() const { return static_cast<int>(labels.size()); }
  [[nodiscard]] std::size_t image_bytes() const {
    return static_cast<std::size_t>(height) * static_cast<std::size_t>(width) *
           static_cast<std::size_t>(channels);
  }
  /// The 8-bit pixels of one image, [H, W, C].
  [[nodiscard]] std::span<const std::uint8_t> image(int index) const {
    return std::span(pixels).subspan(static_cast<std::size_t>(index) * image_bytes(),
                                     image_bytes());
  }
  bool operator==(const ImageSet&) const = default;
};

/// The images at `indices`, in that order; an index may repeat.
ImageSet subset(const ImageSet& images, std::span<const int> indices);

}  // namespace patchnas
