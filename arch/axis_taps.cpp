#include "arch/axis_taps.h"

#include <algorithm>
#include <limits>

#include "arch/operator_table.h"
#include "arch/resize_samples.h"

namespace patchnas {
namespace {

int extent(const TensorShape& shape, Axis axis) {
  return axis == Axis::kRows ? shape.height : shape.width;
}

}  // namespace

// Of outputs whose inputs never go back.
Interval AxisTaps::in_order(const Interval& computed) const {
  if (scatters) {
    // The first whose window ends no earlier than the outputs begin, the last that begins in them.
    const auto floor_of = [this](int x) { return (x < 0 ? x - stride + 1 : x) / stride; };
    return {floor_of(computed.begin + pad - kernel) + 1, floor_of(computed.end - 1 + pad) + 1};
  }
  return {resize_sample(resizing, input, output, computed.begin).first,
          resize_sample(resizing, input, output, computed.end - 1).second + 1};
}

int AxisTaps::computable(int available) const {
  if (stride == 0) {
    return available >= input ? output : 0;
  }
  if (scatters) {
    return static_cast<int>(std::clamp<std::int64_t>(std::int64_t{available} * stride - pad, 0,
                                                     std::numeric_limits<int>::max()));
  }
  if (!resizes) {
    const int most = available - kernel + pad;
    return most < 0 ? 0 : most / stride + 1;
  }
  if (available >= input) {
    return output + static_cast<int>(std::int64_t{available - input} * output / input);
  }
  int count = 0;
  for (int more = output; count < more;) {  // count can be computed, more + 1 cannot
    const int middle = count + (more - count + 1) / 2;
    if (touched({0, middle}).end <= available) {
      count = middle;
    } else {
      more = middle - 1;
    }
  }
  return count;
}

std::int64_t AxisTaps::work(const Interval& computed) const {
  if (!scatters) {
    return computed.size();
  }
  const Interval inputs = read(computed);
  std::int64_t taps = 0;
  for (int i = inputs.begin; i < inputs.end; ++i) {
    const int begin = i * stride - pad;
    taps += std::max(0, std::min(begin + kernel, computed.end) - std::max(begin, computed.begin));
  }
  return taps;
}

AxisTaps axis_taps(const Network& network, int layer, Axis axis, Borders borders) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  const bool rows = axis == Axis::kRows;
  AxisTaps window{.input = extent(network.shape(l.inputs[0]), axis),
                  .output = extent(l.output, axis)};
  switch (operator_facts(l.kind).reads) {
    case Reads::kPosition:
      break;
    case Reads::kEverything:
    case Reads::kAnywhere:
      window.kernel = window.input;
      window.stride = 0;
      break;
    case Reads::kSamples:
      window.resizes = true;
      window.resizing = l.resizing;
      break;
    case Reads::kShifted:
      window.pad = rows ? l.kernel.pad_top : l.kernel.pad_left;
      break;
    case Reads::kScattered:
      window.scatters = true;
      [[fallthrough]];
    case Reads::kTaps:
      window.kernel = rows ? l.kernel.span_h() : l.kernel.span_w();
      window.stride = rows ? l.kernel.stride_h : l.kernel.stride_w;
      window.pad = rows ? l.kernel.pad_top : l.kernel.pad_left;
  }
  window.readable = borders == Borders::kClip ? Interval{0, window.input}
                                              : Interval{-window.input, 2 * window.input};
  return window;
}

}  // namespace patchnas
