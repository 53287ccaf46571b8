#pragma once

// A buffer that holds a rectangle of a tensor: NHWC, tightly packed. Kernels read and write windows
// in the coordinates of the full tensor, so executing layer by layer is the case in which every
// window is the full tensor.

#include <cstdint>
#include <span>

#include "arch/network.h"
#include "arch/tile_geometry.h"

namespace patchnas {

template <typename Byte>
struct BasicWindow {
  std::span<Byte> bytes;  ///< [rect.rows, rect.cols, shape.channels]
  Rect rect;
  TensorShape shape;  ///< of the full tensor

  /// First channel of the pixel at (row, col) of the full tensor.
  [[nodiscard]] Byte* pixel(int row, int col) const {
    const auto index = static_cast<std::ptrdiff_t>(row - rect.rows.begin) * rect.cols.size() +
                       (col - rect.cols.begin);
    return bytes.data() + index * shape.channels;
  }
};

using InputWindow = BasicWindow<const std::int8_t>;
using OutputWindow = BasicWindow<std::int8_t>;

}  // namespace patchnas
