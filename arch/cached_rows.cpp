// Tile geometry of segments that cache rows, along the rows.

#include <algorithm>
#include <limits>
#include <utility>

#include "arch/tile_geometry.h"

namespace patchnas {

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
          const bool is_continued = input == taps.continued_tensor(layer);
          needed = std::max(
              needed, is_continued ? end : taps.taps(Axis::kRows, layer).touched({0, end}).end);
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
// their readers need. Layers that write channels of the same tensor compute the same rows.
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
      int reach =
          layer == first ? first_rows + step * segment_.step_rows : std::numeric_limits<int>::max();
      for (const TensorId input : taps.inputs(layer)) {
        if (input > first && is_paced[of(input - 1)] != 0) {
          const bool is_continued = input == taps.continued_tensor(layer);
          const int there = reached[of(input - 1)];
          reach = std::min(reach, is_continued ? there : row_taps(layer).computable(there));
        }
      }
      const int rows = row_taps(layer).output;
      reached[of(layer)] = reach;
      ends[of(layer)] = std::min(reach, rows);
      is_done = is_done && reach >= rows;
    }
    for (int layer = end; taps.has_continued_tensors() && layer-- > first;) {
      const TensorId tensor = taps.continued_tensor(layer);
      if (tensor > first && is_paced[of(tensor - 1)] != 0) {
        reached[of(tensor - 1)] = std::min(reached[of(tensor - 1)], reached[of(layer)]);
        ends[of(tensor - 1)] = std::min(ends[of(tensor - 1)], reached[of(layer)]);
      }
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
          const Interval computed{0, ends[of(layer)]};
          const bool is_continued = input == taps.continued_tensor(layer);
          int& needed = reached[of(input - 1)];
          needed = std::max(needed, (is_continued ? computed : row_taps(layer).read(computed)).end);
        }
      }
    }
    // What a reader that is not done needs first is what its next row reads.
    std::copy(done.begin(), done.end(), begins.begin());
    for (int layer = first + 1; layer < end; ++layer) {
      const AxisTaps& t = row_taps(layer);
      const bool is_sum = adds_up_ && layer == end - 1;
      for (const TensorId input : taps.inputs(layer)) {
        if (input > first && !is_sum && done[of(layer)] < t.output &&
            input != taps.continued_tensor(layer)) {
          int& begin = begins[of(input - 1)];
          begin = std::min(begin, t.first_needed(done[of(layer)]));
        }
      }
    }
    for (int layer = end; taps.has_continued_tensors() && layer-- > first;) {
      if (const TensorId tensor = taps.continued_tensor(layer); tensor > first) {
        begins[of(tensor - 1)] = begins[of(layer)];
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
      span.inputs[1] = second_input(taps, layer, span);
    }
    done = ends;
  }
  grid_.rows = static_cast<int>(steps.size() / count);
  spans_[0].resize(steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    row_span(first + static_cast<int>(i % count), static_cast<int>(i / count)) = steps[i];
  }
}

}  // namespace patchnas
