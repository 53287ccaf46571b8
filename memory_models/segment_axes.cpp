#include "memory_models/segment_axes.h"

#include <algorithm>
#include <limits>

#include "arch/operator_table.h"
#include "memory_models/arena_plan.h"

namespace patchnas {
namespace {

// Of the last so many cuts what ends there is kept: a path visits them in their order, and a
// network may have thousands.
constexpr int kKeptEnds = 64;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

}  // namespace

void SegmentAxes::assign() {
  macs_.clear();
  for (int layer = 0; layer < cuts_.network().layer_count(); ++layer) {
    macs_.push_back(macs_per_pixel(cuts_.network(), layer));
  }
  const std::size_t cuts = at(cuts_.count());
  beginnings_.resize(std::max(beginnings_.size(), cuts));
  for (SegmentRows& beginning : beginnings_) {
    beginning.end_layer = 0;
  }
  endings_.resize(std::max(endings_.size(), std::min(cuts, at(kKeptEnds)) * at(most_strips_)));
  for (SegmentColumns& ending : endings_) {
    ending.end = -1;
  }
}

// ----- rows

const SegmentRows& SegmentAxes::rows(int first, int end) {
  SegmentRows& rows = beginnings_[at(first)];
  const int first_layer = cuts_.layer(first);
  const int end_layer = cuts_.layer(end);
  if (rows.end_layer < end_layer) {  // as far as is asked for, and some
    draw_rows(first_layer, std::min(cuts_.last_end_layer(first), 2 * end_layer - first_layer), 1,
              rows);
  }
  return rows;
}

const SegmentRows& SegmentAxes::longer_rows(int first_layer, int end_layer, int step_rows) {
  draw_rows(first_layer, end_layer, step_rows, longer_);
  return longer_;
}

// With one row a step the layers of a segment know nothing of where it ends.
void SegmentAxes::draw_rows(int first_layer, int end_layer, int step_rows, SegmentRows& rows) {
  geometry_.assign(cuts_.taps(), Segment::rows(first_layer, end_layer, step_rows, 1));
  const int steps = geometry_.grid().rows;
  rows.first_layer = first_layer;
  rows.end_layer = end_layer;
  rows.layers.assign(at(end_layer - first_layer), {});
  draw_input_rows(steps, rows);
  int steps_before = 0;
  for (int l = first_layer; l < end_layer; ++l) {
    LayerRows& r = rows.layers[at(l - first_layer)];
    draw_rows_of(first_layer, l, steps, r);
    r.steps = steps_before = std::max(steps_before, r.steps);
    r.distance = aligned_distance(first_layer, l, steps);
    r.cut = costs_ != nullptr && step_rows == 1 ? costs_->rows(l, geometry_) : 0;
  }
}

// Of the tensor that the segment reads: the first row that is read from each step on, and what is
// held of a streamed image.
void SegmentAxes::draw_input_rows(int steps, SegmentRows& rows) {
  const NetworkTaps& taps = cuts_.taps();
  const int first = rows.first_layer;
  needed_.assign(at(steps) + 1, std::numeric_limits<int>::max());
  read_end_.assign(at(steps), 0);
  for (int l = first; l <= std::min(taps.last_reader(first), rows.end_layer - 1); ++l) {
    for (std::size_t j = 0; j < 2; ++j) {
      for (int step = 0; taps.inputs(l)[j] == first && step < steps; ++step) {
        if (const Interval& read = geometry_.span(Axis::kRows, l, step).inputs[j]; !read.empty()) {
          needed_[at(step)] = std::min(needed_[at(step)], read.begin);
          read_end_[at(step)] = std::max(read_end_[at(step)], read.end);
        }
      }
    }
  }
  for (int step = steps; step-- > 0;) {
    needed_[at(step)] = std::min(needed_[at(step)], needed_[at(step + 1)]);
  }
  rows.image_window = 0;
  rows.keeps_image = false;
  kept_of_image_.clear();
  int there = 0;
  int begin_before = 0;
  for (int step = 0; step < steps; ++step) {
    const int begin = std::min(there, needed_[at(step)]);
    rows.keeps_image = rows.keeps_image || (step > 0 && begin < there);
    if (begin > begin_before && begin < there) {
      kept_of_image_.push_back(there - begin);
    }
    begin_before = begin;
    there = std::max(there, read_end_[at(step)]);
    rows.image_window = std::max(rows.image_window, there - begin);
  }
  rows.image_cut = costs_ != nullptr ? costs_->kept_rows(kept_of_image_) : 0;
}

void SegmentAxes::draw_rows_of(int first_layer, int layer, int steps, LayerRows& rows) {
  const std::array<TensorId, 2>& inputs = cuts_.taps().inputs(layer);
  rows.over.agrees = rows.summed_over.agrees = {true, true};
  const LayerSpan* const spans = &geometry_.span(Axis::kRows, layer, 0);
  const std::array<const LayerSpan*, 2> under = {
      inputs[0] > first_layer ? &geometry_.span(Axis::kRows, inputs[0] - 1, 0) : nullptr,
      inputs[1] > first_layer ? &geometry_.span(Axis::kRows, inputs[1] - 1, 0) : nullptr};
  // Of a window, the rows that are not in the next one.
  const auto dying = [steps](const LayerSpan* of, int step) {
    const Interval& window = of[step].window;
    const int next = step + 1 < steps ? of[step + 1].window.begin : window.end;
    return std::min(next, window.end) - window.begin;
  };
  for (int step = 0; step < steps; ++step) {
    const LayerSpan& span = spans[step];
    const Interval part{span.window.end - span.computed.size(), span.window.end};
    rows.window = std::max(rows.window, span.window.size());
    rows.computed = std::max(rows.computed, span.computed.size());
    rows.steps = span.computed.empty() ? rows.steps : step + 1;
    rows.keeps = rows.keeps || dying(spans, step) < span.window.size();
    for (std::size_t j = 0; j < 2; ++j) {
      if (under[j] != nullptr) {
        const Interval& window = under[j][step].window;
        rows.over.agrees[j] = rows.over.agrees[j] && same_positions(window, span.window);
        rows.summed_over.agrees[j] = rows.summed_over.agrees[j] && same_positions(window, part);
      }
    }
    if (under[0] != nullptr) {
      rows.over.dying.raise(span.window.size(), dying(under[0], step));
      rows.summed_over.dying.raise(part.size(), dying(under[0], step));
    }
  }
}

// As ExecutionPlan::write_over_consumed() has it, of one strip and the segment's last layer.
std::int64_t SegmentAxes::aligned_distance(int first_layer, int last, int steps) const {
  const Network& network = cuts_.network();
  const TensorShape& input = network.shape(first_layer);
  const TensorShape& output = network.shape(last + 1);
  const std::int64_t input_row = std::int64_t{input.width} * input.channels;
  const std::int64_t output_row = std::int64_t{output.width} * output.channels;
  const bool reads_before_it_writes =
      operator_facts(network.layers[at(last)].kind).computes_by_element();
  std::int64_t distance = 0;
  int needed = std::numeric_limits<int>::max();
  for (int step = steps; step-- > 0;) {
    const LayerSpan& span = geometry_.span(Axis::kRows, last, step);
    for (std::size_t j = 0; !reads_before_it_writes && j < 2; ++j) {
      if (cuts_.taps().inputs(last)[j] == first_layer && !span.inputs[j].empty()) {
        needed = std::min(needed, span.inputs[j].begin);
      }
    }
    if (!span.computed.empty() && needed < input.height) {
      distance = std::min(distance, needed * input_row - span.computed.end * output_row);
    }
    needed = std::min(needed, needed_[at(step)]);
  }
  return -aligned(-distance);
}

// ----- columns

const SegmentColumns& SegmentAxes::columns(int end, int strips) {
  SegmentColumns& columns = endings_[at(end % kKeptEnds * most_strips_ + strips - 1)];
  if (columns.end != end) {
    draw_columns(cuts_.layer(end), strips, columns);
    columns.end = end;
  }
  return columns;
}

void SegmentAxes::draw_columns(int end_layer, int strips, SegmentColumns& columns) {
  const NetworkTaps& taps = cuts_.taps();
  const bool is_sum = cuts_.sums(0, end_layer);
  const int drawn = end_layer - (is_sum ? 1 : 0);  // what adds up reads what is before it
  geometry_.assign(taps, Segment::patches(0, drawn, {1, strips}));
  columns.layers.assign(at(end_layer), {});
  for (int l = 0; l < drawn; ++l) {
    const bool is_summed = is_sum && l == drawn - 1;
    LayerColumns& c = columns.layers[at(l)];
    draw_columns_of(l, strips, is_summed, c);
    if (costs_ != nullptr) {
      c.cut = costs_->columns(l, geometry_, is_summed, false);
      c.cut_of_outside = costs_->columns(l, geometry_, is_summed, true);
    }
  }
  held_of_image_.clear();
  for (int i = 0; i < strips; ++i) {
    held_of_image_.push_back(geometry_.external_window(kImage, 0, i).cols.size());
  }
  columns.image_window = *std::max_element(held_of_image_.begin(), held_of_image_.end());
  columns.image_cut = costs_ != nullptr ? costs_->held_columns(held_of_image_) : 0;
  if (is_sum) {
    LayerColumns& sum = columns.layers[at(drawn)];
    sum.window = sum.computed = sum.total = taps.taps(Axis::kCols, drawn).output;
    if (costs_ != nullptr) {  // where it is the only layer of its segment
      geometry_.assign(taps, Segment::patches(drawn, end_layer, {1, 1}));
      sum.cut = sum.cut_of_outside = costs_->columns(drawn, geometry_, false, true);
    }
  }
  columns.macs_before.assign(1, 0);
  for (int l = 0; l < end_layer; ++l) {
    const std::int64_t rows = cuts_.network().layers[at(l)].output.height;
    columns.macs_before.push_back(columns.macs_before.back() +
                                  macs_[at(l)] * rows * columns.layers[at(l)].total);
  }
}

// What is summed is held in parts, though the geometry ends with it.
void SegmentAxes::draw_columns_of(int layer, int strips, bool is_summed,
                                  LayerColumns& columns) const {
  const std::array<TensorId, 2>& inputs = cuts_.taps().inputs(layer);
  columns.agrees[0] = columns.agrees[1] = true;
  for (int i = 0; i < strips; ++i) {
    const LayerSpan& span = geometry_.span(Axis::kCols, layer, i);
    const Interval& window = is_summed ? span.computed : span.window;
    columns.window = std::max(columns.window, window.size());
    columns.computed = std::max(columns.computed, span.computed.size());
    columns.total += span.computed.size();
    for (std::size_t j = 0; j < 2; ++j) {
      if (inputs[j] > 0) {
        const Interval& under = geometry_.span(Axis::kCols, inputs[j] - 1, i).window;
        columns.agrees[j] = columns.agrees[j] && same_positions(under, window);
        if (j == 0) {
          columns.over_dying.raise(window.size(), under.size());
        }
      }
    }
  }
}

}  // namespace patchnas
