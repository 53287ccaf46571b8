#pragma once

// What a tensor of a .tflite file is in our network while the file is imported. Padding,
// reshaping, transposing and averages over one axis are operators there, but not layers of their
// own here.

#include <cstdint>
#include <optional>
#include <vector>

#include "arch/quantized_network.h"
#include "deploy/import/dimensions.h"
#include "deploy/tflite/tflite_tensor.h"

namespace patchnas {

/// kPixels is rows and columns in one, kFlat these and the channels.
enum class FileAxis { kBatch, kRows, kCols, kChannels, kPixels, kFlat };

/// Explicit padding around a tensor.
struct Margins {
  int top = 0;
  int bottom = 0;
  int left = 0;
  int right = 0;
  bool operator==(const Margins&) const = default;
};

/// What margins hold: the zero point, the least stored value, which no maximum takes, or another.
enum class MarginFill { kZero, kLowest, kOther };

struct FileValue {
  TensorId id = kNoTensor;
  TensorShape shape;  ///< of our tensor, without margins
  Margins margins;
  MarginFill margin_fill = MarginFill::kZero;
  std::int8_t margin_value = 0;   ///< stored
  float margin_real = 0.0F;       ///< of float files
  FileTensor padded = -1;         ///< what a PAD operator writes: a copy's name
  bool has_pad_operator = false;  ///< true also where it pads by nothing
  /// From one tap to the next of windows that slide over it, in the file's dimensions: above 1
  /// where the file has it in blocks (tflite_dilation.cpp).
  int dilation_h = 1;
  int dilation_w = 1;
  std::vector<FileAxis> axes{FileAxis::kBatch, FileAxis::kRows, FileAxis::kCols,
                             FileAxis::kChannels};
  /// Not empty where the file reads the elements, in their order, in dimensions that are no axes of
  /// our tensor; `axes` is then empty.
  std::vector<int> reread_as{};
  /// Between an end of the graph and the operator that quantises or dequantises there: numbers of
  /// the network's user, not int8.
  bool holds_end_numbers = false;
  /// Scale and zero point, where a RESHAPE states others than those of our tensor.
  std::optional<TensorQuantisation> restated{};

  /// Dimensions that the file must declare.
  [[nodiscard]] std::vector<int> dimensions() const;
  /// Extent along one axis, margins included.
  [[nodiscard]] int extent(FileAxis axis) const;
  [[nodiscard]] bool has_margins() const { return margins != Margins{}; }
  /// Whether the elements lie in the order of rows, columns and channels.
  [[nodiscard]] bool is_ordered() const;
  /// Whether windows can slide over it: [1, H, W, C], or the same turned.
  [[nodiscard]] bool is_map() const;
  /// [1, W, H, C], which holds the same bytes where H or W is 1: one-dimensional networks are read
  /// now as one row, now as one column.
  [[nodiscard]] bool is_turned() const;
  /// Whether the file's last dimension is our channels, and nothing lies in another order.
  [[nodiscard]] bool ends_in_channels() const;
  /// Whether our tensor is just as the file has it.
  [[nodiscard]] bool is_plain() const;
};

/// `value`, whose elements lie in order, in the file's `dimensions` of as many elements. A
/// network's image takes any shape that way; margins stay where they are.
/// @returns a value whose dimensions() differ if that cannot be said.
FileValue reread(const FileValue& value, const std::vector<int>& dimensions);

/// To where the elements of `value` are in a tensor that is just as the file has it, margins
/// included.
StridedCopy copy_to_plain(const FileValue& value);

/// The shape that a tensor has in our network if nothing else says one: of [1, H, W, C] and what
/// has fewer dimensions the last three.
TensorShape shape_of(const std::vector<int>& dimensions);

}  // namespace patchnas
