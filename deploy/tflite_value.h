#pragma once

// What a tensor of a .tflite file is in our network while the file is imported. Padding,
// flattening, transposing and averages over one axis are operators there, but not layers of their
// own here.

#include <vector>

#include "arch/network.h"

namespace patchnas {

enum class FileAxis { kBatch, kRows, kCols, kChannels, kFlat };

/// Explicit padding around a tensor.
struct Margins {
  int top = 0;
  int bottom = 0;
  int left = 0;
  int right = 0;
  bool operator==(const Margins&) const = default;
};

struct FileValue {
  TensorId id = kNoTensor;
  TensorShape shape;  ///< of our tensor, without margins
  Margins margins;
  bool has_pad_operator = false;  ///< true also where it pads by nothing
  std::vector<FileAxis> axes{FileAxis::kBatch, FileAxis::kRows, FileAxis::kCols,
                             FileAxis::kChannels};

  /// Dimensions that the file must declare.
  [[nodiscard]] std::vector<int> dimensions() const;
  /// Extent along one axis, margins included.
  [[nodiscard]] int extent(FileAxis axis) const;
  [[nodiscard]] bool has_margins() const { return margins != Margins{}; }
  /// Whether the elements lie in the order of rows, columns and channels.
  [[nodiscard]] bool is_ordered() const;
  /// Whether it is [1, H, W, C], or [1, C] for H = W = 1, perhaps with axes of extent 1 elsewhere.
  [[nodiscard]] bool is_image() const;
};

}  // namespace patchnas
