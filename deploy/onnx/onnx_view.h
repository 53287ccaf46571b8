#pragma once

// Where the elements of a file's tensor lie in a tensor of ours, which has the channels last.

#include <cstdint>
#include <optional>
#include <vector>

#include "arch/network.h"

namespace patchnas {

/// So many elements, `stride` apart.
struct Digit {
  int extent = 1;
  int stride = 0;
  bool operator==(const Digit&) const = default;
};

/// The row-major index of an element in the file is a number of several digits, the fastest last;
/// each moves the element's place in our tensor by its stride. So another shape of the same
/// elements is the same view, and other axes are other orders of digits: neither costs anything.
/// [1, C, H, W] in the file is {{C, 1}, {H, W * C}, {W, C}}.
class OnnxView {
 public:
  OnnxView() = default;
  /// Adjacent digits that count on from each other become one.
  explicit OnnxView(const std::vector<Digit>& digits);

  [[nodiscard]] const std::vector<Digit>& digits() const { return digits_; }
  /// The digits of each dimension, or nothing if one digit belongs to two dimensions.
  [[nodiscard]] std::optional<std::vector<std::vector<Digit>>> by_dimension(
      const std::vector<int>& dimensions) const;
  /// The places of all elements, in the file's order.
  [[nodiscard]] std::vector<int> places() const;
  bool operator==(const OnnxView&) const = default;

 private:
  std::vector<Digit> digits_;
};

/// A tensor of ours for a tensor of the file.
struct OnnxLayout {
  TensorShape shape;
  OnnxView view;
  bool operator==(const OnnxLayout&) const = default;
};

/// With dimension `axis` as channels; the last of the others is columns, all before it are rows.
OnnxLayout layout_by(const std::vector<int>& dimensions, std::size_t axis);

/// Which dimension holds the channels if nothing says otherwise: the second of [1, C, H, W] and
/// [1, C, W], else the last. 0 for a single number.
std::size_t usual_channel_axis(const std::vector<int>& dimensions);

/// The layout by that.
OnnxLayout usual_layout(const std::vector<int>& dimensions);

/// As in the file: [.., H, W, C].
OnnxLayout plain_layout(const std::vector<int>& dimensions);

/// Of as many elements; nothing if that takes more than three strides. An element that `to` holds
/// may be read several times (stride 0 of `from`).
std::optional<StridedCopy> copy_between(const OnnxView& from, const OnnxView& to);

/// The view of a tensor whose elements were moved: what lay at `from` lies at `to`. Nothing if the
/// two do not take the view's digits apart alike.
std::optional<OnnxView> moved(const OnnxView& view, const OnnxView& from, const OnnxView& to);

}  // namespace patchnas
