#include "arch/tile_geometry.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "arch/operator_table.h"

namespace patchnas {
namespace {

int extent(const TensorShape& shape, Axis axis) {
  return axis == Axis::kRows ? shape.height : shape.width;
}

}  // namespace

AxisTaps axis_taps(const Network& network, int layer, Axis axis, Borders borders) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  const bool rows = axis == Axis::kRows;
  AxisTaps window{.input = extent(network.shape(l.inputs[0]), axis),
                  .output = extent(l.output, axis)};
  switch (operator_facts(l.kind).reads) {
    case Reads::kPosition:
      break;
    case Reads::kEverything:
      window.kernel = window.input;
      window.stride = 0;
      break;
    case Reads::kTaps:
      window.kernel = rows ? l.kernel.height : l.kernel.width;
      window.stride = rows ? l.kernel.stride_h : l.kernel.stride_w;
      window.pad = rows ? l.kernel.pad_top : l.kernel.pad_left;
  }
  window.readable = borders == Borders::kClip ? Interval{0, window.input}
                                              : Interval{-window.input, 2 * window.input};
  return window;
}

Interval hull(const Interval& a, const Interval& b) {
  if (a.empty()) {
    return b;
  }
  return b.empty() ? a : Interval{std::min(a.begin, b.begin), std::max(a.end, b.end)};
}

Rect full_rect(const TensorShape& shape) { return {{0, shape.height}, {0, shape.width}}; }

void NetworkTaps::assign(const Network& network, Borders borders) {
  last_readers_ = last_readers(network);
  layers_.clear();
  axes_agree_ = true;
  int last_reader_before = -1;  // of what the layers so far read compute
  for (int layer = 0; layer < network.layer_count(); ++layer) {
    const LayerTaps& taps = layers_.emplace_back(
        LayerTaps{.axes = {axis_taps(network, layer, Axis::kRows, borders),
                           axis_taps(network, layer, Axis::kCols, borders)},
                  .inputs = network.layers[static_cast<std::size_t>(layer)].inputs,
                  .is_cut = last_reader_before <= layer});
    axes_agree_ = axes_agree_ && taps.axes[0] == taps.axes[1];
    last_reader_before = std::max(last_reader_before, last_reader(layer + 1));
  }
}

void SegmentGeometry::assign(const NetworkTaps& taps, const Segment& segment) {
  segment_ = segment;
  compute(taps, segment.first_layer);
}

int SegmentGeometry::move_end(const NetworkTaps& taps, int end_layer) {
  const int known_end = std::exchange(segment_.end_layer, end_layer);
  return compute(taps, std::min(known_end, end_layer));
}

// Spans of layers before `known_end` are those of another end.
int SegmentGeometry::compute(const NetworkTaps& taps, int known_end) {
  const auto count = static_cast<std::size_t>(segment_.end_layer - segment_.first_layer);
  inputs_.resize(count);
  materialised_.resize(count);
  axes_agree_ = taps.axes_agree() && segment_.grid.rows == segment_.grid.cols;
  const int changed = compute_axis(taps, Axis::kRows, known_end);
  return axes_agree_ ? changed : std::min(changed, compute_axis(taps, Axis::kCols, known_end));
}

// Backwards: a layer computes what its readers in the segment need and, if it is materialised, at
// least its part of an even partition, so that all tiles together complete it.
int SegmentGeometry::compute_axis(const NetworkTaps& taps, Axis axis, int known_end) {
  const int first = segment_.first_layer;
  const int end = segment_.end_layer;
  const int tiles = this->tiles(axis);
  const auto size = static_cast<std::size_t>((end - first) * tiles);
  spans_[slot(axis)].resize(size);
  needed_.resize(std::max(needed_.size(), size));
  for (int layer = end; layer-- > first;) {
    const AxisTaps& window = taps.taps(axis, layer);
    const std::array<TensorId, 2>& inputs = taps.inputs(layer);
    const bool is_materialised = layer + 1 == end || taps.last_reader(layer + 1) >= end;
    inputs_[static_cast<std::size_t>(layer - first)] = inputs;
    materialised_[static_cast<std::size_t>(layer - first)] = static_cast<char>(is_materialised);
    const auto of_layer = static_cast<std::size_t>((layer - first) * tiles);
    LayerSpan* const spans = spans_[slot(axis)].data() + of_layer;
    Interval* const needed = needed_.data() + of_layer;
    bool is_as_before = layer < known_end;
    for (int index = 0; index < tiles; ++index) {
      Interval computed = std::exchange(needed[index], {});
      if (is_materialised) {
        computed = hull(computed, even_part(window.output, tiles, index));
      }
      LayerSpan& span = spans[index];
      is_as_before = is_as_before && span.computed == computed;
      span.computed = computed;
      span.window = is_materialised ? Interval{0, window.output} : computed;
      span.inputs[0] = window.read(computed);
      span.inputs[1] = inputs[1] == kNoTensor ? Interval{} : span.inputs[0];
    }
    // The layers before a cut follow from it alone: none of them is materialised.
    if (is_as_before && taps.is_cut(layer)) {
      return layer;
    }
    for (const TensorId input : inputs) {
      if (input <= first) {
        continue;  // none, or from outside the segment
      }
      Interval* const of_producer =
          needed_.data() + static_cast<std::size_t>((input - 1 - first) * tiles);
      for (int index = 0; index < tiles; ++index) {
        of_producer[index] = hull(of_producer[index], spans[index].inputs[0]);
      }
    }
  }
  return first;
}

LayerTile SegmentGeometry::tile(int layer, int row, int col) const {
  const LayerSpan& r = span(Axis::kRows, layer, row);
  const LayerSpan& c = span(Axis::kCols, layer, col);
  return {.computed = {r.computed, c.computed},
          .window = {r.window, c.window},
          .inputs = {Rect{r.inputs[0], c.inputs[0]}, Rect{r.inputs[1], c.inputs[1]}}};
}

bool SegmentGeometry::materialised(TensorId tensor) const {
  const int layer = tensor - 1;
  return layer >= segment_.first_layer && layer < segment_.end_layer &&
         materialised_[static_cast<std::size_t>(layer - segment_.first_layer)] != 0;
}

Interval SegmentGeometry::external_span(Axis axis, TensorId tensor, int index) const {
  Interval read;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    for (std::size_t j = 0; j < 2; ++j) {
      if (inputs_[i][j] == tensor) {
        read = hull(read, span(axis, segment_.first_layer + static_cast<int>(i), index).inputs[j]);
      }
    }
  }
  return read;
}

Rect SegmentGeometry::external_read(TensorId tensor, int row, int col) const {
  return {external_span(Axis::kRows, tensor, row), external_span(Axis::kCols, tensor, col)};
}

std::int64_t SegmentGeometry::largest_window_pixels(TensorId tensor) const {
  const auto largest = [&](Axis axis) {
    int size = 0;
    for (int index = 0; index < tiles(axis); ++index) {
      const Interval window = tensor > segment_.first_layer ? span(axis, tensor - 1, index).window
                                                            : external_span(axis, tensor, index);
      size = std::max(size, window.size());
    }
    return std::int64_t{size};
  };
  return largest(Axis::kRows) * largest(Axis::kCols);
}

int SegmentGeometry::largest_computed(Axis axis, int layer) const {
  int size = 0;
  for (int index = 0; index < tiles(axis); ++index) {
    size = std::max(size, span(axis, layer, index).computed.size());
  }
  return size;
}

std::int64_t SegmentGeometry::computed_pixels(int layer) const {
  const auto total = [&](Axis axis) {
    std::int64_t sum = 0;
    for (int index = 0; index < tiles(axis); ++index) {
      sum += span(axis, layer, index).computed.size();
    }
    return sum;
  };
  return total(Axis::kRows) * total(Axis::kCols);
}

std::vector<std::int64_t> scheduled_layer_macs(const Network& network,
                                               const PatchSchedule& schedule) {
  std::vector<std::int64_t> macs;
  for (int layer = 0; layer < network.layer_count(); ++layer) {
    macs.push_back(layer_macs(network, layer));
  }
  for (const Segment& segment : schedule.segments) {
    const SegmentGeometry geometry(network, segment);
    for (int layer = segment.first_layer; layer < segment.end_layer; ++layer) {
      macs[static_cast<std::size_t>(layer)] =
          macs_per_pixel(network, layer) * geometry.computed_pixels(layer);
    }
  }
  return macs;
}

std::int64_t scheduled_macs(const Network& network, const PatchSchedule& schedule) {
  const std::vector<std::int64_t> macs = scheduled_layer_macs(network, schedule);
  return std::accumulate(macs.begin(), macs.end(), std::int64_t{0});
}

std::int64_t unclipped_macs(const Network& network, const PatchSchedule& schedule) {
  std::int64_t total = network_macs(network);
  const NetworkTaps taps(network, Borders::kIgnore);
  SegmentGeometry geometry;
  for (const Segment& segment : schedule.segments) {
    geometry.assign(taps, segment);
    const std::int64_t tiles = std::int64_t{segment.grid.rows} * segment.grid.cols;
    for (int layer = segment.first_layer; layer < segment.end_layer; ++layer) {
      const auto extent = [&](Axis axis) {
        return std::int64_t{
            std::min(taps.taps(axis, layer).output, geometry.largest_computed(axis, layer))};
      };
      total += macs_per_pixel(network, layer) * tiles * extent(Axis::kRows) * extent(Axis::kCols) -
               layer_macs(network, layer);
    }
  }
  return total;
}

}  // namespace patchnas
