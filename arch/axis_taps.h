#pragma once

// Along one axis, rows or columns, which positions of its input a layer reads for which of its
// output: what windows, samples, margins and scattered inputs have in common.
//
//   const AxisTaps taps = axis_taps(network, layer, Axis::kRows);
//   const Interval rows = taps.read({8, 12});  // of the input, for four rows of the output

#include <compare>
#include <cstdint>

#include "arch/network.h"

namespace patchnas {

/// [begin, end)
struct Interval {
  int begin = 0;
  int end = 0;

  [[nodiscard]] constexpr int size() const { return end - begin; }
  [[nodiscard]] constexpr bool empty() const { return end <= begin; }
  [[nodiscard]] bool contains(const Interval& other) const {
    return other.empty() || (begin <= other.begin && other.end <= end);
  }
  auto operator<=>(const Interval&) const = default;
};

/// Whether both hold the same; empty ones do, wherever they are.
constexpr bool same_positions(const Interval& a, const Interval& b) {
  return a == b || (a.empty() && b.empty());
}

/// The smallest interval that holds both; an empty one adds nothing.
constexpr Interval hull(const Interval& a, const Interval& b) {
  if (a.empty()) {
    return b;
  }
  return b.empty() ? a
                   : Interval{a.begin < b.begin ? a.begin : b.begin, a.end > b.end ? a.end : b.end};
}

enum class Axis { kRows, kCols };

/// Along one axis, which input positions a layer reads: those of output position o begin at
/// o * stride - pad and are as many as the kernel has. Where a layer reads everything, the window
/// is the whole input and the stride 0. Resized positions are read from one or two (ResizeSample).
/// Where inputs scatter, input position i adds to the outputs that begin at i * stride - pad.
struct AxisTaps {
  int kernel = 1;
  int stride = 1;
  int pad = 0;     ///< before the first position; below 0 so many inputs are never read
  int input = 0;   ///< extent
  int output = 0;  ///< extent
  /// What can be read: the input, or beyond its borders as well (Borders).
  Interval readable{};
  bool resizes = false;
  Resizing resizing{};
  bool scatters = false;

  /// Of all these outputs, padding included.
  [[nodiscard]] Interval touched(const Interval& computed) const {
    if (computed.empty()) {
      return {};
    }
    return resizes || scatters ? in_order(computed)
                               : Interval{computed.begin * stride - pad,
                                          (computed.end - 1) * stride - pad + kernel};
  }
  /// The same, clipped to what can be read.
  [[nodiscard]] Interval read(const Interval& computed) const {
    const Interval all = touched(computed);
    const Interval inside{all.begin < readable.begin ? readable.begin : all.begin,
                          all.end < readable.end ? all.end : readable.end};
    return inside.empty() ? Interval{} : inside;
  }
  /// The first input that outputs from `first` on read. Padding counts where a kernel passes over
  /// it as over inputs.
  [[nodiscard]] int first_needed(int first) const {
    const int begin = touched({first, first + 1}).begin;
    return kernel == 1 && begin < 0 ? 0 : begin;
  }
  /// How many outputs can be computed, from the first on, of so many inputs from the first on: of
  /// more than there are, as many as if they went on.
  [[nodiscard]] int computable(int available) const;
  /// Whether each output position reads the one input position that is its own.
  [[nodiscard]] bool is_pointwise() const {
    return kernel == 1 && stride == 1 && pad == 0 && input == output && !resizes && !scatters;
  }
  /// Whether there may be inputs that no output reads, between those that others do.
  [[nodiscard]] bool passes_over() const {
    return resizes ? output < input : !scatters && stride > kernel;
  }
  /// What multiply-accumulates are counted by along this axis: these outputs, or, where inputs
  /// scatter, the taps that hit them.
  [[nodiscard]] std::int64_t work(const Interval& computed) const;
  bool operator==(const AxisTaps&) const = default;

 private:
  [[nodiscard]] Interval in_order(const Interval& computed) const;
};

/// Whether windows end at the borders of a layer's input, as everything does that is executed, or
/// go on as if there were none: up to a whole extent beyond them, for more says nothing and could
/// grow without end.
enum class Borders { kClip, kIgnore };

AxisTaps axis_taps(const Network& network, int layer, Axis axis, Borders borders = Borders::kClip);

}  // namespace patchnas
