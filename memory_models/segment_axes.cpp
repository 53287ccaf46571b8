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
  lies_over_.clear();
  for (int layer = 0; layer < cuts_.network().layer_count(); ++layer) {
    const Layer& l = cuts_.network().layers[at(layer)];
    macs_.push_back(macs_per_pixel(cuts_.network(), layer));
    lies_over_.push_back(operator_facts(l.kind).in_place != InPlace::kNever ||
                                 kernel_function(l) == KernelFunction::kPointwise
                             ? 1
                             : 0);
  }
  const std::size_t cuts = at(cuts_.count());
  beginnings_.resize(std::max(beginnings_.size(), cuts));
  for (Beginning& beginning : beginnings_) {
    beginning.end_layer = 0;
    beginning.drawn.clear();
  }
  drawn_count_ = 0;
  endings_.resize(std::max(endings_.size(), std::min(cuts, at(kKeptEnds)) * at(most_strips_)));
  for (SegmentColumns& ending : endings_) {
    ending.end = -1;
  }
}

// ----- rows

const SegmentRows& SegmentAxes::rows(int first, int end, int step_rows) {
  Beginning& beginning = beginnings_[at(first)];
  const int first_layer = cuts_.layer(first);
  const int end_layer = cuts_.layer(end);
  const NetworkTaps& taps = cuts_.taps();
  if (beginning.end_layer < end_layer) {  // as far as is asked for, and some
    beginning.end_layer = std::min(cuts_.last_end_layer(first), 2 * end_layer - first_layer);
    beginning.one_row.assign(taps, Segment::rows(first_layer, beginning.end_layer, 1, 1));
  }
  const int first_rows = first_step_rows(taps, Segment::rows(first_layer, end_layer, step_rows, 1));
  static_assert(kLargestExtent < 1 << 16);
  const auto key =
      static_cast<std::uint32_t>(step_rows) << 16 | static_cast<std::uint32_t>(first_rows);
  const auto [drawn, is_new] = beginning.drawn.try_emplace(key, drawn_count_);
  if (is_new) {
    drawn_.resize(std::max(drawn_.size(), at(++drawn_count_)));
    drawn_[at(drawn->second)].end_layer = 0;
  }
  SegmentRows& rows = drawn_[at(drawn->second)];
  if (rows.end_layer < end_layer) {
    geometry_.take_together(beginning.one_row, step_rows, first_rows);
    draw_rows(geometry_, rows);
  }
  return rows;
}

// But for their number, the layers of a segment know nothing of where it ends.
void SegmentAxes::draw_rows(const SegmentGeometry& geometry, SegmentRows& rows) {
  const Segment& segment = geometry.segment();
  rows.first_layer = segment.first_layer;
  rows.end_layer = segment.end_layer;
  rows.layers.assign(at(segment.end_layer - segment.first_layer), {});
  draw_input_rows(geometry, rows);
  int steps_before = 0;
  for (int l = segment.first_layer; l < segment.end_layer; ++l) {
    LayerRows& r = rows.layers[at(l - segment.first_layer)];
    draw_rows_of(geometry, l, r);
    r.steps = steps_before = std::max(steps_before, r.steps);
    r.distance = aligned_distance(geometry, l);
    r.cut = costs_ != nullptr ? costs_->rows(l, geometry) : 0;
  }
}

// Of the tensor that the segment reads: the first row that is read from each step on, and what is
// held of a streamed image.
void SegmentAxes::draw_input_rows(const SegmentGeometry& geometry, SegmentRows& rows) {
  const NetworkTaps& taps = cuts_.taps();
  const int first = rows.first_layer;
  const int steps = geometry.grid().rows;
  needed_.assign(at(steps) + 1, std::numeric_limits<int>::max());
  read_end_.assign(at(steps), 0);
  for (int l = first; l <= std::min(taps.last_reader(first), rows.end_layer - 1); ++l) {
    for (std::size_t j = 0; j < 2; ++j) {
      for (int step = 0; taps.inputs(l)[j] == first && step < steps; ++step) {
        if (const Interval& read = geometry.span(Axis::kRows, l, step).inputs[j]; !read.empty()) {
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

void SegmentAxes::draw_rows_of(const SegmentGeometry& geometry, int layer, LayerRows& rows) const {
  const int first_layer = geometry.segment().first_layer;
  const int steps = geometry.grid().rows;
  const std::array<TensorId, 2>& inputs = cuts_.taps().inputs(layer);
  rows.over.agrees = rows.summed_over.agrees = {true, true};
  const LayerSpan* const spans = &geometry.span(Axis::kRows, layer, 0);
  // What it may be written over.
  const auto windows_of = [&](std::size_t j) {
    const bool may_lie_over = inputs[j] > first_layer && lies_over_[at(layer)] != 0 &&
                              cuts_.taps().last_reader(inputs[j]) == layer;
    return may_lie_over ? &geometry.span(Axis::kRows, inputs[j] - 1, 0) : nullptr;
  };
  const std::array<const LayerSpan*, 2> under = {windows_of(0), windows_of(1)};
  // Of a window, the rows that are not in the next one.
  const auto dying = [steps](const LayerSpan* of, int step) {
    const Interval& window = of[step].window;
    const int next = step + 1 < steps ? of[step + 1].window.begin : window.end;
    return std::min(next, window.end) - window.begin;
  };
  int kept_steps = 0;
  for (int step = 0; step < steps; ++step) {
    const LayerSpan& span = spans[step];
    const Interval part{span.window.end - span.computed.size(), span.window.end};
    rows.window = std::max(rows.window, span.window.size());
    rows.computed = std::max(rows.computed, span.computed.size());
    rows.total += span.computed.size();
    rows.steps = span.computed.empty() ? rows.steps : step + 1;
    kept_steps = dying(spans, step) < span.window.size() ? kept_steps + 1 : 0;
    rows.kept_steps = std::max(rows.kept_steps, kept_steps);
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
  rows.keeps = rows.kept_steps > 0;
}

// As ExecutionPlan::write_over_consumed() has it, of one strip and the segment's last layer.
std::int64_t SegmentAxes::aligned_distance(const SegmentGeometry& geometry, int last) const {
  const int first_layer = geometry.segment().first_layer;
  const Network& network = cuts_.network();
  const TensorShape& input = network.shape(first_layer);
  const TensorShape& output = network.shape(last + 1);
  const std::int64_t input_row = std::int64_t{input.width} * input.channels;
  const std::int64_t output_row = std::int64_t{output.width} * output.channels;
  const bool reads_before_it_writes =
      operator_facts(network.layers[at(last)].kind).computes_by_element();
  const bool is_continued = cuts_.taps().continued_tensor(last) > first_layer;
  std::int64_t distance = 0;
  int needed = std::numeric_limits<int>::max();
  for (int step = geometry.grid().rows; step-- > 0;) {
    const LayerSpan& span = geometry.span(Axis::kRows, last, step);
    for (std::size_t j = 0; !reads_before_it_writes && j < 2; ++j) {
      if (cuts_.taps().inputs(last)[j] == first_layer && !span.inputs[j].empty()) {
        needed = std::min(needed, span.inputs[j].begin);
      }
    }
    if (is_continued) {
      needed = std::min(needed, needed_[at(step)]);
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

const SegmentColumns& SegmentAxes::columns_with_cuts(int end, int strips) {
  SegmentColumns& columns = endings_[at(end % kKeptEnds * most_strips_ + strips - 1)];
  if (columns.end != end || !columns.has_cuts) {
    this->columns(end, strips);
    number_columns(cuts_.layer(end), strips, columns);
  }
  return columns;
}

// What adds up reads what is before it.
void SegmentAxes::assign_columns(int end_layer, int strips) {
  const int drawn = end_layer - (cuts_.sums(0, end_layer) ? 1 : 0);
  geometry_.assign(cuts_.taps(), Segment::patches(0, drawn, {1, strips}));
}

void SegmentAxes::draw_columns(int end_layer, int strips, SegmentColumns& columns) {
  const bool is_sum = cuts_.sums(0, end_layer);
  assign_columns(end_layer, strips);
  const int drawn = geometry_.segment().end_layer;
  columns.has_cuts = false;
  columns.layers.assign(at(end_layer), {});
  for (int l = 0; l < drawn; ++l) {
    draw_columns_of(l, strips, is_sum && l == drawn - 1, columns.layers[at(l)]);
  }
  columns.image_window = 0;
  for (int i = 0; i < strips; ++i) {
    columns.image_window =
        std::max(columns.image_window, geometry_.external_window(kImage, 0, i).cols.size());
  }
  if (is_sum) {
    LayerColumns& sum = columns.layers[at(drawn)];
    sum.window = sum.computed = cuts_.taps().taps(Axis::kCols, drawn).output;
    sum.work = sum.computed;
  }
  columns.macs_before.assign(1, 0);
  for (int l = 0; l < end_layer; ++l) {
    const AxisTaps& rows = cuts_.taps().taps(Axis::kRows, l);
    columns.macs_before.push_back(columns.macs_before.back() + macs_[at(l)] *
                                                                   rows.work({0, rows.output}) *
                                                                   columns.layers[at(l)].work);
  }
}

void SegmentAxes::number_columns(int end_layer, int strips, SegmentColumns& columns) {
  assign_columns(end_layer, strips);
  const int drawn = geometry_.segment().end_layer;
  for (int l = 0; l < drawn; ++l) {
    const bool is_summed = drawn < end_layer && l == drawn - 1;
    columns.layers[at(l)].cut = costs_->columns(l, geometry_, is_summed, false);
    columns.layers[at(l)].cut_of_outside = costs_->columns(l, geometry_, is_summed, true);
  }
  held_of_image_.clear();
  for (int i = 0; i < strips; ++i) {
    held_of_image_.push_back(geometry_.external_window(kImage, 0, i).cols.size());
  }
  columns.image_cut = costs_->held_columns(held_of_image_);
  if (drawn < end_layer) {  // where what adds up is the only layer of its segment
    LayerColumns& sum = columns.layers[at(drawn)];
    geometry_.assign(cuts_.taps(), Segment::patches(drawn, end_layer, {1, 1}));
    sum.cut = sum.cut_of_outside = costs_->columns(drawn, geometry_, false, true);
  }
  columns.has_cuts = true;
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
    columns.work += cuts_.taps().taps(Axis::kCols, layer).work(span.computed);
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
