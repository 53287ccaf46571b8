#include "arch/tile_geometry.h"

#include <algorithm>
#include <numeric>

namespace patchnas {
namespace {

int extent(const TensorShape& shape, Axis axis) {
  return axis == Axis::kRows ? shape.height : shape.width;
}

Interval even_part(int extent, int parts, int index) {
  return {static_cast<int>(std::int64_t{extent} * index / parts),
          static_cast<int>(std::int64_t{extent} * (index + 1) / parts)};
}

// Positions that a window touches, padding included.
Interval window_taps(const Kernel& kernel, Axis axis, const Interval& output) {
  const bool rows = axis == Axis::kRows;
  const int size = rows ? kernel.height : kernel.width;
  const int stride = rows ? kernel.stride_h : kernel.stride_w;
  const int pad = rows ? kernel.pad_top : kernel.pad_left;
  return {output.begin * stride - pad, (output.end - 1) * stride - pad + size};
}

}  // namespace

Interval hull(const Interval& a, const Interval& b) {
  if (a.empty()) {
    return b;
  }
  return b.empty() ? a : Interval{std::min(a.begin, b.begin), std::max(a.end, b.end)};
}

Rect full_rect(const TensorShape& shape) { return {{0, shape.height}, {0, shape.width}}; }

Interval receptive_field(const Network& network, int layer, Axis axis, const Interval& output) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  const int input = extent(network.shape(l.inputs[0]), axis);
  if (output.empty()) {
    return {};
  }
  switch (l.kind) {
    case LayerKind::kAdd:
      return output;
    case LayerKind::kFullyConnected:
    case LayerKind::kSoftmax:
      return {0, input};
    default:
      break;
  }
  const Interval taps = window_taps(l.kernel, axis, output);
  return {std::max(0, taps.begin), std::min(input, taps.end)};
}

void SegmentGeometry::assign(const Network& network, const Segment& segment) {
  segment_ = segment;
  const int first = segment.first_layer;
  const auto count = static_cast<std::size_t>(segment.end_layer - first);
  read_after_.assign(count, 0);
  for (int layer = segment.end_layer; layer < network.layer_count(); ++layer) {
    for (const TensorId input : network.layers[static_cast<std::size_t>(layer)].inputs) {
      if (input > first && input <= segment.end_layer) {
        read_after_[static_cast<std::size_t>(input - 1 - first)] = 1;
      }
    }
  }
  inputs_.clear();
  materialised_.clear();
  for (int layer = first; layer < segment.end_layer; ++layer) {
    inputs_.push_back(network.layers[static_cast<std::size_t>(layer)].inputs);
    const bool read_after = read_after_[static_cast<std::size_t>(layer - first)] != 0;
    materialised_.push_back(static_cast<char>(read_after || layer + 1 == segment.end_layer));
  }
  for (const Axis axis : {Axis::kRows, Axis::kCols}) {
    std::vector<LayerSpan>& spans = spans_[static_cast<std::size_t>(axis)];
    spans.assign(count * static_cast<std::size_t>(tiles(axis)), LayerSpan{});
    for (int index = 0; index < tiles(axis); ++index) {
      LayerSpan* const of_tile = spans.data() + static_cast<std::size_t>(index) * count;
      // Backwards: a layer computes what its readers in the segment need and, if it is
      // materialised, at least its part of an even partition, so that all tiles together complete
      // it.
      for (std::size_t i = count; i-- > 0;) {
        const int layer = first + static_cast<int>(i);
        const int whole = extent(network.shape(layer + 1), axis);
        LayerSpan& span = of_tile[i];
        if (materialised_[i] != 0) {
          span.computed = hull(span.computed, even_part(whole, tiles(axis), index));
        }
        span.window = materialised_[i] != 0 ? Interval{0, whole} : span.computed;
        for (std::size_t j = 0; j < 2 && inputs_[i][j] != kNoTensor; ++j) {
          span.inputs[j] = receptive_field(network, layer, axis, span.computed);
          const int producer = inputs_[i][j] - 1 - first;
          if (producer >= 0) {
            LayerSpan& read = of_tile[static_cast<std::size_t>(producer)];
            read.computed = hull(read.computed, span.inputs[j]);
          }
        }
      }
    }
  }
}

const LayerSpan& SegmentGeometry::span(Axis axis, int layer, int index) const {
  const std::size_t count = inputs_.size();
  return spans_[static_cast<std::size_t>(axis)]
               [static_cast<std::size_t>(index) * count +
                static_cast<std::size_t>(layer - segment_.first_layer)];
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

namespace {

// Positions of each layer's output that the largest tile of a segment computes along one axis when
// no border clips it, up to all of them.
std::vector<std::int64_t> unclipped_extents(const Network& network, const Segment& segment,
                                            Axis axis) {
  const auto count = static_cast<std::size_t>(segment.end_layer - segment.first_layer);
  const int tiles = axis == Axis::kRows ? segment.grid.rows : segment.grid.cols;
  const std::vector<int> last = last_readers(network);
  std::vector<std::int64_t> largest(count, 0);
  for (int tile = 0; tile < tiles; ++tile) {
    std::vector<Interval> computed(count);
    for (std::size_t i = count; i-- > 0;) {
      const int layer = segment.first_layer + static_cast<int>(i);
      const Layer& l = network.layers[static_cast<std::size_t>(layer)];
      if (last[static_cast<std::size_t>(layer) + 1] >= segment.end_layer || i + 1 == count) {
        computed[i] = hull(computed[i], even_part(extent(l.output, axis), tiles, tile));
      }
      const int whole = extent(l.output, axis);
      largest[i] = std::max<std::int64_t>(largest[i], std::min(whole, computed[i].size()));
      for (int j = 0; j < l.input_count(); ++j) {
        const int producer = l.inputs[static_cast<std::size_t>(j)] - 1 - segment.first_layer;
        if (producer < 0) {
          continue;
        }
        const bool is_window = l.kind != LayerKind::kFullyConnected &&
                               l.kind != LayerKind::kSoftmax && l.kind != LayerKind::kAdd;
        const Interval read = is_window ? window_taps(l.kernel, axis, computed[i])
                                        : receptive_field(network, layer, axis, computed[i]);
        // More than a whole extent beyond a border says nothing, and could grow without end.
        const int input = extent(network.shape(l.inputs[0]), axis);
        Interval& needed = computed[static_cast<std::size_t>(producer)];
        needed = hull(needed, {std::max(read.begin, -input), std::min(read.end, 2 * input)});
      }
    }
  }
  return largest;
}

}  // namespace

std::int64_t unclipped_macs(const Network& network, const PatchSchedule& schedule) {
  std::int64_t total = network_macs(network);
  for (const Segment& segment : schedule.segments) {
    const std::vector<std::int64_t> rows = unclipped_extents(network, segment, Axis::kRows);
    const std::vector<std::int64_t> cols = unclipped_extents(network, segment, Axis::kCols);
    const std::int64_t tiles = std::int64_t{segment.grid.rows} * segment.grid.cols;
    for (int layer = segment.first_layer; layer < segment.end_layer; ++layer) {
      const auto i = static_cast<std::size_t>(layer - segment.first_layer);
      total +=
          macs_per_pixel(network, layer) * tiles * rows[i] * cols[i] - layer_macs(network, layer);
    }
  }
  return total;
}

}  // namespace patchnas
