#include "arch/tile_geometry.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

namespace patchnas {

Rect full_rect(const TensorShape& shape) { return {{0, shape.height}, {0, shape.width}}; }

void NetworkTaps::assign(const Network& network, Borders borders) {
  last_readers_ = patchnas::last_readers(network);
  input_count_ = network.input_count();
  layers_.clear();
  axes_agree_ = true;
  has_continued_tensors_ = false;
  int last_reader_before = -1;  // of what the layers so far read compute
  for (int layer = 0; layer < network.layer_count(); ++layer) {
    const LayerTaps& taps = layers_.emplace_back(
        LayerTaps{.axes = {axis_taps(network, layer, Axis::kRows, borders),
                           axis_taps(network, layer, Axis::kCols, borders)},
                  .inputs = network.layers[static_cast<std::size_t>(layer)].inputs,
                  .continued = patchnas::continued_tensor(network, layer),
                  .is_global_sum = patchnas::is_global_sum(network, layer),
                  .is_cut = last_reader_before <= layer});
    axes_agree_ = axes_agree_ && taps.axes[0] == taps.axes[1];
    has_continued_tensors_ = has_continued_tensors_ || taps.continued != kNoTensor;
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
  grid_ = segment_.grid;
  const int last = segment_.end_layer - 1;
  adds_up_ = patchnas::adds_up(segment_, taps.is_global_sum(last));
  axes_agree_ = taps.axes_agree() && !caches_rows() && grid_.rows == grid_.cols;
  if (caches_rows()) {
    compute_axis(taps, Axis::kCols, segment_.first_layer);
    compute_cached_rows(taps);
    return segment_.first_layer;
  }
  const int changed = compute_axis(taps, Axis::kRows, known_end);
  return axes_agree_ ? changed : std::min(changed, compute_axis(taps, Axis::kCols, known_end));
}

// What the layer reads of its second input: of one that it goes on writing, what it writes.
Interval SegmentGeometry::second_input(const NetworkTaps& taps, int layer, const LayerSpan& span) {
  if (taps.inputs(layer)[1] == kNoTensor) {
    return {};
  }
  return taps.continued_tensor(layer) != kNoTensor ? span.computed : span.inputs[0];
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
    const int continuing = caches_rows() ? taps.continuing_layer(layer + 1) : end;
    const bool is_materialised = layer + 1 == end || taps.last_reader(layer + 1) >= end ||
                                 (continuing < end && materialised(continuing + 1));
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
      if (adds_up_ && layer == end - 1) {
        span.computed = index == tiles - 1 ? span.window : Interval{};
        span.inputs[0] = even_part(window.input, tiles, index);
      }
      span.inputs[1] = second_input(taps, layer, span);
    }
    // The layers before a cut follow from it alone: none of them is materialised.
    if (is_as_before && taps.is_cut(layer)) {
      return layer;
    }
    for (std::size_t j = 0; j < inputs.size(); ++j) {
      if (inputs[j] <= first) {
        continue;  // none, or from outside the segment
      }
      Interval* const of_producer =
          needed_.data() + static_cast<std::size_t>((inputs[j] - 1 - first) * tiles);
      for (int index = 0; index < tiles; ++index) {
        of_producer[index] = hull(of_producer[index], spans[index].inputs[j]);
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

SegmentGeometry::ExternalSpan SegmentGeometry::external_span(Axis axis, TensorId tensor,
                                                             int index) const {
  const auto read_in = [&](int tile) {
    Interval read;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      for (std::size_t j = 0; j < 2; ++j) {
        if (inputs_[i][j] == tensor) {
          read = hull(read, span(axis, segment_.first_layer + static_cast<int>(i), tile).inputs[j]);
        }
      }
    }
    return read;
  };
  const Interval now = read_in(index);
  if (axis == Axis::kCols || !caches_rows()) {
    return {now, now};
  }
  int there = 0;
  for (int step = 0; step < index; ++step) {
    there = std::max(there, read_in(step).end);
  }
  int begin = there;
  for (int step = index; step < grid_.rows; ++step) {
    const Interval read = read_in(step);
    begin = read.empty() ? begin : std::min(begin, read.begin);
  }
  const int end = std::max(there, now.end);
  return {there < end ? Interval{there, end} : Interval{}, {begin, end}};
}

Rect SegmentGeometry::external_window(TensorId tensor, int row, int col) const {
  return {external_span(Axis::kRows, tensor, row).window,
          external_span(Axis::kCols, tensor, col).window};
}

Rect SegmentGeometry::external_new(TensorId tensor, int row, int col) const {
  return {external_span(Axis::kRows, tensor, row).added,
          external_span(Axis::kCols, tensor, col).added};
}

Interval SegmentGeometry::kept_rows(TensorId tensor, int row) const {
  if (!caches_rows() || row + 1 == grid_.rows) {
    return {};
  }
  const auto window = [&](int step) {
    return tensor > segment_.first_layer ? span(Axis::kRows, tensor - 1, step).window
                                         : external_span(Axis::kRows, tensor, step).window;
  };
  const Interval kept{window(row + 1).begin, window(row).end};
  return kept.empty() ? Interval{} : kept;
}

bool SegmentGeometry::keeps_rows(TensorId tensor) const {
  for (int row = 0; row < grid_.rows; ++row) {
    if (!kept_rows(tensor, row).empty()) {
      return true;
    }
  }
  return false;
}

std::int64_t SegmentGeometry::largest_window_pixels(TensorId tensor) const {
  const auto largest = [&](Axis axis) {
    int size = 0;
    for (int index = 0; index < tiles(axis); ++index) {
      const Interval window = tensor > segment_.first_layer
                                  ? span(axis, tensor - 1, index).window
                                  : external_span(axis, tensor, index).window;
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

namespace {

// AxisTaps::work() of all tiles.
std::int64_t work_of(const NetworkTaps& taps, const SegmentGeometry& geometry, int layer) {
  const auto along = [&](Axis axis, int tiles) {
    std::int64_t sum = 0;
    for (int index = 0; index < tiles; ++index) {
      sum += taps.taps(axis, layer).work(geometry.span(axis, layer, index).computed);
    }
    return sum;
  };
  return along(Axis::kRows, geometry.grid().rows) * along(Axis::kCols, geometry.grid().cols);
}

}  // namespace

std::vector<std::int64_t> scheduled_layer_macs(const Network& network,
                                               const PatchSchedule& schedule) {
  std::vector<std::int64_t> macs;
  for (int layer = 0; layer < network.layer_count(); ++layer) {
    macs.push_back(layer_macs(network, layer));
  }
  const NetworkTaps taps(network);
  SegmentGeometry geometry;
  for (const Segment& segment : schedule.segments) {
    geometry.assign(taps, segment);
    for (int layer = segment.first_layer; layer < segment.end_layer; ++layer) {
      macs[static_cast<std::size_t>(layer)] =
          macs_per_pixel(network, layer) * work_of(taps, geometry, layer);
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
    for (int layer = segment.first_layer; layer < segment.end_layer; ++layer) {
      const auto whole = [&](Axis axis) {
        const AxisTaps clipped = axis_taps(network, layer, axis);
        return clipped.work({0, clipped.output});
      };
      const auto in_tiles = [&](Axis axis, int tiles) {
        std::int64_t largest = 0;
        for (int index = 0; index < tiles; ++index) {
          const Interval& computed = geometry.span(axis, layer, index).computed;
          largest = std::max(largest, taps.taps(axis, layer).work(computed));
        }
        return tiles * std::min(whole(axis), largest);
      };
      const std::int64_t rows = segment.halo() == HaloPolicy::kCache
                                    ? whole(Axis::kRows)
                                    : in_tiles(Axis::kRows, segment.grid.rows);
      total += macs_per_pixel(network, layer) * rows * in_tiles(Axis::kCols, segment.grid.cols) -
               layer_macs(network, layer);
    }
  }
  return total;
}

}  // namespace patchnas
