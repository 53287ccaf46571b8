#include "arch/tile_geometry.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "arch/operator_table.h"
#include "arch/resize_samples.h"

namespace patchnas {
namespace {

int extent(const TensorShape& shape, Axis axis) {
  return axis == Axis::kRows ? shape.height : shape.width;
}

}  // namespace

Interval AxisTaps::sampled(const Interval& computed) const {
  return {resize_sample(resizing, input, output, computed.begin).first,
          resize_sample(resizing, input, output, computed.end - 1).second + 1};
}

int AxisTaps::computable(int available) const {
  if (stride == 0) {
    return available >= input ? output : 0;
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
    case Reads::kTaps:
      window.kernel = rows ? l.kernel.span_h() : l.kernel.span_w();
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
  last_readers_ = patchnas::last_readers(network);
  input_count_ = network.input_count();
  layers_.clear();
  axes_agree_ = true;
  int last_reader_before = -1;  // of what the layers so far read compute
  for (int layer = 0; layer < network.layer_count(); ++layer) {
    const LayerTaps& taps = layers_.emplace_back(
        LayerTaps{.axes = {axis_taps(network, layer, Axis::kRows, borders),
                           axis_taps(network, layer, Axis::kCols, borders)},
                  .inputs = network.layers[static_cast<std::size_t>(layer)].inputs,
                  .is_global_sum = patchnas::is_global_sum(network, layer),
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
      if (adds_up_ && layer == end - 1) {
        span.computed = index == tiles - 1 ? span.window : Interval{};
        span.inputs[0] = even_part(window.input, tiles, index);
      }
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

int first_step_rows(const NetworkTaps& taps, const Segment& segment) {
  if (segment.step_rows == 1) {
    return 1;
  }
  const int first = segment.first_layer;
  const bool is_sum = adds_up(segment, taps.is_global_sum(segment.end_layer - 1));
  const int paced = segment.end_layer - (is_sum ? 2 : 1);
  std::vector<int> ends(static_cast<std::size_t>(paced + 1 - first));
  const auto rows_for = [&](int paced_rows) {
    std::fill(ends.begin(), ends.end(), 0);
    ends.back() = paced_rows;
    for (int layer = paced; layer > first; --layer) {
      const int end = ends[static_cast<std::size_t>(layer - first)];
      for (const TensorId input : taps.inputs(layer)) {
        if (input > first && end > 0) {
          int& needed = ends[static_cast<std::size_t>(input - 1 - first)];
          needed = std::max(needed, taps.taps(Axis::kRows, layer).touched({0, end}).end);
        }
      }
    }
    return std::max(1, ends.front());
  };
  const int more = std::max(1, rows_for(2) - rows_for(1));
  return (rows_for(std::max(1, segment.step_rows / more)) - 1) % segment.step_rows + 1;
}

void SegmentGeometry::take_together(const SegmentGeometry& one_row, int step_rows, int first_rows) {
  segment_ = one_row.segment_;
  segment_.step_rows = step_rows;
  adds_up_ = one_row.adds_up_;
  axes_agree_ = one_row.axes_agree_;
  inputs_ = one_row.inputs_;
  materialised_ = one_row.materialised_;
  spans_[1] = one_row.spans_[1];
  const int rows = one_row.grid_.rows;
  grid_ = {1 + (std::max(0, rows - first_rows) + step_rows - 1) / step_rows, one_row.grid_.cols};
  spans_[0].resize(materialised_.size() * static_cast<std::size_t>(grid_.rows));
  LayerSpan* taken = spans_[0].data();
  for (int layer = segment_.first_layer; layer < segment_.end_layer; ++layer) {
    const LayerSpan* const of_layer = &one_row.span(Axis::kRows, layer, 0);
    for (int row = 0, end = first_rows; row < rows; ++taken, end += step_rows) {
      *taken = of_layer[row];
      for (++row; row < std::min(end, rows); ++row) {
        const LayerSpan& added = of_layer[row];
        taken->computed = hull(taken->computed, added.computed);
        taken->window.end = added.window.end;
        taken->inputs[0] = hull(taken->inputs[0], added.inputs[0]);
        taken->inputs[1] = hull(taken->inputs[1], added.inputs[1]);
      }
    }
  }
}

// Forwards: every layer computes what it can from the rows that are there. At the bottom, padding
// arrives as rows do, so that no layer gets many of its last rows in one step. Layers that depend
// on nothing the first one computes have all their input from the beginning: they compute what
// their readers need.
void SegmentGeometry::compute_cached_rows(const NetworkTaps& taps) {
  const int first = segment_.first_layer;
  const int end = segment_.end_layer;
  const auto of = [&](int layer) { return static_cast<std::size_t>(layer - first); };
  const auto row_taps = [&](int layer) -> const AxisTaps& { return taps.taps(Axis::kRows, layer); };
  const auto count = of(end);
  std::vector<char> is_paced(count, 0);
  is_paced.front() = 1;
  for (int layer = first + 1; layer < end; ++layer) {
    for (const TensorId input : taps.inputs(layer)) {
      is_paced[of(layer)] |= input > first ? is_paced[of(input - 1)] : char{0};
    }
  }
  // Of paced layers how far they come if padding goes on below; of others what is needed of them.
  std::vector<int> reached(count, 0);
  std::vector<int> done(count, 0);    // rows before the step
  std::vector<int> ends(count, 0);    // and after it
  std::vector<int> begins(count, 0);  // of the rows that readers still need
  std::vector<LayerSpan> steps;       // [step][layer]
  const int first_rows = first_step_rows(taps, segment_);
  bool is_done = false;
  for (int step = 0; !is_done; ++step) {
    is_done = true;
    for (int layer = first; layer < end; ++layer) {
      if (is_paced[of(layer)] == 0) {
        continue;
      }
      const int rows = row_taps(layer).output;
      int reach =
          layer == first ? first_rows + step * segment_.step_rows : std::numeric_limits<int>::max();
      for (const TensorId input : taps.inputs(layer)) {
        if (input > first && is_paced[of(input - 1)] != 0) {
          reach = std::min(reach, row_taps(layer).computable(reached[of(input - 1)]));
        }
      }
      reached[of(layer)] = reach;
      ends[of(layer)] = std::min(reach, rows);
      is_done = is_done && reach >= rows;
    }
    for (int layer = end; layer-- > first;) {
      if (is_paced[of(layer)] == 0) {
        const int needed = is_done && materialised(layer + 1)
                               ? row_taps(layer).output
                               : std::exchange(reached[of(layer)], 0);
        ends[of(layer)] = std::clamp(needed, done[of(layer)], row_taps(layer).output);
      }
      for (const TensorId input : taps.inputs(layer)) {
        if (input > first && is_paced[of(input - 1)] == 0) {
          int& needed = reached[of(input - 1)];
          needed = std::max(needed, row_taps(layer).read({0, ends[of(layer)]}).end);
        }
      }
    }
    // What a reader that is not done needs first is what its next row reads.
    std::copy(done.begin(), done.end(), begins.begin());
    for (int layer = first + 1; layer < end; ++layer) {
      const AxisTaps& t = row_taps(layer);
      const bool is_sum = adds_up_ && layer == end - 1;
      for (const TensorId input : taps.inputs(layer)) {
        if (input > first && !is_sum && done[of(layer)] < t.output) {
          int& begin = begins[of(input - 1)];
          begin = std::min(begin, t.touched({done[of(layer)], done[of(layer)] + 1}).begin);
        }
      }
    }
    for (int layer = first; layer < end; ++layer) {
      const AxisTaps& t = row_taps(layer);
      const Interval added{done[of(layer)], ends[of(layer)]};
      LayerSpan& span = steps.emplace_back();
      span.computed = added.empty() ? Interval{} : added;
      span.window =
          materialised(layer + 1) ? Interval{0, t.output} : Interval{begins[of(layer)], added.end};
      span.inputs[0] = t.read(span.computed);
      if (adds_up_ && layer == end - 1) {
        const TensorId input = taps.inputs(layer)[0];
        span.inputs[0] = {done[of(input - 1)], ends[of(input - 1)]};
      }
      span.inputs[1] = taps.inputs(layer)[1] == kNoTensor ? Interval{} : span.inputs[0];
    }
    done = ends;
  }
  grid_.rows = static_cast<int>(steps.size() / count);
  spans_[0].resize(steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    row_span(first + static_cast<int>(i % count), static_cast<int>(i / count)) = steps[i];
  }
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
    for (int layer = segment.first_layer; layer < segment.end_layer; ++layer) {
      const auto computed = [&](Axis axis, int tiles) {
        const int extent = taps.taps(axis, layer).output;
        return std::int64_t{tiles} * std::min(extent, geometry.largest_computed(axis, layer));
      };
      const std::int64_t rows = segment.halo() == HaloPolicy::kCache
                                    ? taps.taps(Axis::kRows, layer).output
                                    : computed(Axis::kRows, segment.grid.rows);
      total += macs_per_pixel(network, layer) * rows * computed(Axis::kCols, segment.grid.cols) -
               layer_macs(network, layer);
    }
  }
  return total;
}

}  // namespace patchnas
