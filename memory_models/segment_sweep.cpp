#include "memory_models/segment_sweep.h"

#include <algorithm>
#include <array>
#include <limits>
#include <tuple>
#include <utility>

#include "arch/operator_table.h"
#include "arch/row_schedules.h"
#include "arch/tile_geometry.h"
#include "memory_models/arena_plan.h"
#include "runtime/scratch.h"

namespace patchnas {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// The largest of quotients, as a fraction.
struct Ratio {
  std::int64_t over = 0;
  std::int64_t under = 1;

  void raise(std::int64_t a, std::int64_t b) {
    if (a > 0 && (under != 0) && (b == 0 || a * under > over * b)) {
      over = a;
      under = b;
    }
  }
  // Whether the product with another is at most 1.
  [[nodiscard]] bool fits(const Ratio& other) const {
    return over == 0 || other.over == 0 ||
           (under != 0 && other.under != 0 && over * other.over <= under * other.under);
  }
};

// Whether and where an output finds room over an input.
struct Over {
  Ratio dying;  // rows of the output to those of the input's window that die with them
  std::array<bool, 2> agrees{};  // with the windows of the inputs
};

// What one layer's output is like along the rows, in segments that begin at one cut.
struct LayerRows {
  int window = 0;     // most rows held
  int computed = 0;   // most rows added by a step
  int done_step = 0;  // the step that completes it
  bool keeps = false;
  Over over;
  Over summed_over;  // if the next layer adds it up: then nothing of it is kept
};

// And along the columns, in segments that end at one cut, of so many strips.
struct LayerCols {
  int window = 0;
  int computed = 0;
  int total = 0;  // computed by all strips
  Ratio over_dying;
  std::array<bool, 2> agrees{};
};

// A segment, or the layers between two cuts without one.
struct Part {
  int first = 0;  // cuts by index
  int end = 0;
  int strips = 0;  // 0 for layer by layer
  std::int64_t bytes = 0;
  std::int64_t macs = 0;
  std::int64_t calls = 0;  // in segments
};

struct Label {
  std::int64_t macs = kNever;
  std::int64_t calls = 0;
  std::int64_t bytes = 0;
  int part = -1;

  [[nodiscard]] auto order() const { return std::tuple(macs, calls, bytes); }
};

}  // namespace

class SegmentSweep::Workspace {
 public:
  Workspace(SegmentLimits limits, InputMode input) : limits_(limits), input_(input) {}

  void assign(const Network& network, std::int64_t most_bytes) {
    network_ = &network;
    most_bytes_ = most_bytes;
    taps_.assign(network);
    cuts_ = segment_cuts(network);
    parts_.clear();
    macs_.clear();
    for (int layer = 0; layer < network.layer_count(); ++layer) {
      macs_.push_back(macs_per_pixel(network, layer));
    }
    add_whole_layers();
    draw_columns();
    for (int first = 0; first + 1 < static_cast<int>(cuts_.size()); ++first) {
      draw_rows(cuts_[at(first)]);
      for (int end = first + 1; end < static_cast<int>(cuts_.size()); ++end) {
        for (int strips = 1; strips <= strips_at(end); ++strips) {
          add_segment(first, end, strips);
        }
      }
    }
  }

  std::optional<SegmentChain> cheapest(std::int64_t most_bytes) {
    labels_.assign(cuts_.size(), {});
    labels_.front() = {.macs = 0};
    for (int i = 0; i < static_cast<int>(parts_.size()); ++i) {  // by their first cut
      const Part& part = parts_[at(i)];
      const Label& from = labels_[at(part.first)];
      if (part.bytes > most_bytes || from.macs == kNever) {
        continue;
      }
      const Label to{.macs = from.macs + part.macs,
                     .calls = from.calls + part.calls,
                     .bytes = std::max(from.bytes, part.bytes),
                     .part = i};
      if (to.order() < labels_[at(part.end)].order()) {
        labels_[at(part.end)] = to;
      }
    }
    const Label& last = labels_.back();
    if (last.macs == kNever) {
      return std::nullopt;
    }
    SegmentChain chain{.schedule = {}, .macs = last.macs, .deployed_bytes = last.bytes};
    for (int cut = static_cast<int>(cuts_.size()) - 1; cut > 0;) {
      const Part& part = parts_[at(labels_[at(cut)].part)];
      if (part.strips > 0) {
        chain.schedule.segments.push_back(
            Segment::rows(cuts_[at(part.first)], cuts_[at(part.end)], 1, part.strips));
      }
      cut = part.first;
    }
    std::reverse(chain.schedule.segments.begin(), chain.schedule.segments.end());
    return chain;
  }

 private:
  [[nodiscard]] const Layer& layer(int index) const { return network_->layers[at(index)]; }
  [[nodiscard]] int layers() const { return network_->layer_count(); }

  // Whether a segment that ends at the cut adds up its last layer, if it has another.
  [[nodiscard]] bool sums_at(int end_layer) const {
    return end_layer >= 2 && taps_.is_global_sum(end_layer - 1) &&
           taps_.inputs(end_layer - 1)[0] == end_layer - 1;
  }

  // The layer that is divided, of segments that end at the cut.
  [[nodiscard]] int strips_at(int end) const {
    const int end_layer = cuts_[at(end)];
    const int paced = end_layer - (sums_at(end_layer) ? 2 : 1);
    return std::min(limits_.most_strips, taps_.taps(Axis::kCols, paced).output);
  }

  void add_whole_layers() {
    const std::vector<std::int64_t> live =
        live_bytes(unplaced_arena_plan(ExecutionPlan(*network_, {}, input_)).buffers);
    whole_.clear();
    for (int first = 0; first + 1 < static_cast<int>(cuts_.size()); ++first) {
      Part part{.first = first, .end = first + 1};
      for (int l = cuts_[at(first)]; l < cuts_[at(first + 1)]; ++l) {
        part.bytes = std::max(part.bytes, live[at(l)]);
        part.macs += macs_[at(l)] * layer(l).output.pixels();
      }
      whole_.push_back(part);
    }
  }

  // ----- columns

  [[nodiscard]] LayerCols& cols(int end, int strips, int l) {
    return cols_[at((end * limits_.most_strips + strips - 1) * layers() + l)];
  }

  void draw_columns() {
    cols_.assign(cuts_.size() * at(limits_.most_strips) * at(layers()), {});
    image_cols_.assign(cuts_.size() * at(limits_.most_strips), 0);
    for (int end = 1; end < static_cast<int>(cuts_.size()); ++end) {
      const int end_layer = cuts_[at(end)];
      const bool sums = sums_at(end_layer);
      for (int strips = 1; strips <= strips_at(end); ++strips) {
        // What adds up reads what the layer before computes.
        geometry_.assign(taps_, Segment::patches(0, end_layer - (sums ? 1 : 0), {1, strips}));
        for (int l = 0; l < end_layer - (sums ? 1 : 0); ++l) {
          draw_columns_of(l, strips, sums && l == end_layer - 2, cols(end, strips, l));
        }
        if (sums) {
          const int extent = taps_.taps(Axis::kCols, end_layer - 1).output;
          LayerCols& sum = cols(end, strips, end_layer - 1);
          sum.window = sum.computed = sum.total = extent;
        }
        int& image = image_cols_[at(end * limits_.most_strips + strips - 1)];
        for (int i = 0; i < strips; ++i) {
          image = std::max(image, geometry_.external_window(kImage, 0, i).cols.size());
        }
      }
    }
  }

  // What is summed is held in parts, though the geometry ends with it.
  void draw_columns_of(int l, int strips, bool is_summed, LayerCols& c) {
    const std::array<TensorId, 2>& inputs = taps_.inputs(l);
    c.agrees[0] = c.agrees[1] = true;
    for (int i = 0; i < strips; ++i) {
      const LayerSpan& span = geometry_.span(Axis::kCols, l, i);
      const Interval& window = is_summed ? span.computed : span.window;
      c.window = std::max(c.window, window.size());
      c.computed = std::max(c.computed, span.computed.size());
      c.total += span.computed.size();
      for (std::size_t j = 0; j < 2; ++j) {
        if (inputs[j] > 0) {
          const Interval& under = geometry_.span(Axis::kCols, inputs[j] - 1, i).window;
          c.agrees[j] = c.agrees[j] && under == window;
          if (j == 0) {
            c.over_dying.raise(window.size(), under.size());
          }
        }
      }
    }
  }

  // ----- rows

  void draw_rows(int first) {
    geometry_.assign(taps_, Segment::rows(first, layers(), 1, 1));
    const int steps = geometry_.grid().rows;
    rows_.assign(at(layers()), {});
    for (int l = first; l < layers(); ++l) {
      draw_rows_of(first, l, steps);
    }
    draw_input_rows(first, steps);
  }

  // Of the tensor that the segment reads: the first row that is read from each step on, and what is
  // held of a streamed image.
  void draw_input_rows(int first, int steps) {
    needed_.assign(at(steps) + 1, std::numeric_limits<int>::max());
    read_end_.assign(at(steps), 0);
    for (int l = first; l <= std::min(taps_.last_reader(first), layers() - 1); ++l) {
      for (std::size_t j = 0; j < 2; ++j) {
        for (int step = 0; taps_.inputs(l)[j] == first && step < steps; ++step) {
          if (const Interval& read = geometry_.span(Axis::kRows, l, step).inputs[j];
              !read.empty()) {
            needed_[at(step)] = std::min(needed_[at(step)], read.begin);
            read_end_[at(step)] = std::max(read_end_[at(step)], read.end);
          }
        }
      }
    }
    for (int step = steps; step-- > 0;) {
      needed_[at(step)] = std::min(needed_[at(step)], needed_[at(step + 1)]);
    }
    input_rows_ = {};
    int there = 0;
    for (int step = 0; step < steps; ++step) {
      const int begin = std::min(there, needed_[at(step)]);
      input_rows_.keeps = input_rows_.keeps || (step > 0 && begin < there);
      there = std::max(there, read_end_[at(step)]);
      input_rows_.window = std::max(input_rows_.window, there - begin);
    }
  }

  void draw_rows_of(int first, int l, int steps) {
    LayerRows& r = rows_[at(l)];
    const std::array<TensorId, 2>& inputs = taps_.inputs(l);
    r.over.agrees = r.summed_over.agrees = {true, true};
    const LayerSpan* const spans = &geometry_.span(Axis::kRows, l, 0);
    const std::array<const LayerSpan*, 2> under = {
        inputs[0] > first ? &geometry_.span(Axis::kRows, inputs[0] - 1, 0) : nullptr,
        inputs[1] > first ? &geometry_.span(Axis::kRows, inputs[1] - 1, 0) : nullptr};
    // Of a window, the rows that are not in the next one.
    const auto dying = [steps](const LayerSpan* of, int step) {
      const Interval& window = of[step].window;
      const int next = step + 1 < steps ? of[step + 1].window.begin : window.end;
      return std::min(next, window.end) - window.begin;
    };
    for (int step = 0; step < steps; ++step) {
      const LayerSpan& span = spans[step];
      const Interval part{span.window.end - span.computed.size(), span.window.end};
      r.window = std::max(r.window, span.window.size());
      r.computed = std::max(r.computed, span.computed.size());
      r.done_step = span.computed.empty() ? r.done_step : step;
      r.keeps = r.keeps || dying(spans, step) < span.window.size();
      for (std::size_t j = 0; j < 2; ++j) {
        if (under[j] != nullptr) {
          r.over.agrees[j] = r.over.agrees[j] && under[j][step].window == span.window;
          r.summed_over.agrees[j] = r.summed_over.agrees[j] && under[j][step].window == part;
        }
      }
      if (under[0] != nullptr) {
        r.over.dying.raise(span.window.size(), dying(under[0], step));
        r.summed_over.dying.raise(part.size(), dying(under[0], step));
      }
    }
  }

  // ----- segments

  void add_segment(int first, int end, int strips) {
    if (strips == 1 && end == first + 1) {
      parts_.push_back(whole_[at(first)]);
    }
    const int first_layer = cuts_[at(first)];
    const int end_layer = cuts_[at(end)];
    Part part{.first = first, .end = end, .strips = strips};
    int steps = 0;
    for (int l = first_layer; l < end_layer; ++l) {
      const LayerCols& c = cols(end, strips, l);
      part.macs += macs_[at(l)] * layer(l).output.height * c.total;
      steps = std::max(steps, rows_[at(l)].done_step + 1);
    }
    part.calls = std::int64_t{steps} * strips * (end_layer - first_layer);
    part.bytes = bytes_of(first_layer, end_layer, end, strips, steps);
    if (part.bytes <= most_bytes_ && part.bytes != kNever) {
      parts_.push_back(part);
    }
  }

  struct Held {
    std::int64_t bytes = 0;
    int first_step = 0;
    int last_step = 0;
    int over = -1;  // of the layers that computed what it lies over
  };

  // As ExecutionPlan has it, of one loop; kNever if what lives through all of it is too much.
  std::int64_t bytes_of(int first, int end_layer, int end, int strips, int steps) {
    const int count = end_layer - first;
    const bool sums = sums_at(end_layer) && count >= 2;
    held_.assign(at(count), {});
    change_.assign(at(count) + 1, 0);
    const auto hold = [&](std::int64_t bytes, int from, int to) {
      change_[at(from - first)] += aligned(bytes);
      change_[at(to - first) + 1] -= aligned(bytes);
    };
    const TensorShape& input = network_->shape(first);
    const TensorShape& output = network_->shape(end_layer);
    std::int64_t throughout = first > 0 ? input.elements() : 0;
    if (first == 0 && input_ == InputMode::kStreamed) {
      const std::int64_t pixels = std::int64_t{input_rows_.window} *
                                  image_cols_[at(end * limits_.most_strips + strips - 1)];
      hold(pixels * input.channels, first,
           input_rows_.keeps ? end_layer - 1 : std::min(taps_.last_reader(0), end_layer - 1));
    } else {
      hold(input.elements(), first, end_layer - 1);
    }
    for (int l = first; l + 1 < end_layer; ++l) {
      const bool is_summed = sums && l + 2 == end_layer;
      const LayerRows& r = rows_[at(l)];
      const LayerCols& c = cols(end, strips, l);
      Held& held = held_[at(l - first)];
      const int window = is_summed ? r.computed : r.window;
      const bool keeps = r.keeps && !is_summed;
      held.bytes = std::int64_t{window} * c.window * layer(l).output.channels;
      throughout += keeps ? held.bytes : 0;
      if (throughout > most_bytes_) {
        return kNever;
      }
      held.first_step = keeps ? first : l;
      held.last_step = keeps ? end_layer - 1 : std::max(l, taps_.last_reader(l + 1));
      hold(held.bytes, held.first_step, held.last_step);
      hold(scratch_of(l, r, c), l, l);
      write_over_input(l, first, is_summed ? r.summed_over : r.over, c, keeps, held);
    }
    hold(output.elements(), first, end_layer - 1);
    hold(scratch_of(end_layer - 1, rows_[at(end_layer - 1)], cols(end, strips, end_layer - 1)),
         end_layer - 1, end_layer - 1);
    if (sums) {
      hold(output.channels * std::int64_t{sizeof(std::int32_t)}, first, end_layer - 1);
    } else if (strips == 1 && first > 0) {
      const std::int64_t shared =
          std::min(input.elements(), aligned_distance(first, end_layer, steps) + output.elements());
      change_.front() -= aligned(std::max(std::int64_t{0}, shared));
    }
    std::int64_t live = 0;
    std::int64_t most = 0;
    for (int step = 0; step < count; ++step) {
      live += change_[at(step)];
      most = std::max(most, live);
    }
    return most;
  }

  [[nodiscard]] std::int64_t scratch_of(int l, const LayerRows& r, const LayerCols& c) const {
    const Kernel& k = layer(l).kernel;
    return operator_facts(layer(l).kind).in_place == InPlace::kWithScratch
               ? patchnas_depthwise_scratch_bytes(r.computed, c.computed, k.height, k.width,
                                                  k.stride_h, k.stride_w)
               : 0;
  }

  // As the execution plan has it.
  void write_over_input(int l, int first, const Over& over, const LayerCols& c, bool keeps,
                        Held& held) {
    const InPlace rule = operator_facts(layer(l).kind).in_place;
    if (rule == InPlace::kNever) {
      return;
    }
    for (int j = 0; j < layer(l).input_count(); ++j) {
      const TensorId input = taps_.inputs(l)[at(j)];
      const AxisTaps& axis = taps_.taps(Axis::kCols, l);
      if (input <= first || taps_.last_reader(input) != l || axis.output > axis.input) {
        continue;
      }
      const bool fits = rule == InPlace::kEqualWindow
                            ? over.agrees[at(j)] && c.agrees[at(j)] && !rows_[at(input - 1)].keeps
                            : !keeps && over.dying.fits(c.over_dying);
      if (!fits) {
        continue;
      }
      held.over = input - 1;
      for (int step = held.first_step; step <= held.last_step; ++step) {
        for (int below = held.over; below >= 0; below = held_[at(below - first)].over) {
          const Held& h = held_[at(below - first)];
          if (h.first_step <= step && step <= h.last_step) {
            const std::int64_t shared = aligned(std::min(h.bytes, held.bytes));
            change_[at(step - first)] -= shared;
            change_[at(step - first) + 1] += shared;
            break;
          }
        }
      }
      return;
    }
  }

  // As ExecutionPlan::write_over_consumed() has it, of one strip.
  std::int64_t aligned_distance(int first, int end_layer, int steps) {
    const int last = end_layer - 1;
    const TensorShape& input = network_->shape(first);
    const TensorShape& output = network_->shape(end_layer);
    const std::int64_t input_row = std::int64_t{input.width} * input.channels;
    const std::int64_t output_row = std::int64_t{output.width} * output.channels;
    const bool is_add = layer(last).kind == LayerKind::kAdd;
    std::int64_t distance = 0;
    int needed = std::numeric_limits<int>::max();
    for (int step = steps; step-- > 0;) {
      const LayerSpan& span = geometry_.span(Axis::kRows, last, step);
      for (std::size_t j = 0; !is_add && j < 2; ++j) {
        if (taps_.inputs(last)[j] == first && !span.inputs[j].empty()) {
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

  SegmentLimits limits_;
  InputMode input_;
  std::int64_t most_bytes_ = kNever;
  const Network* network_ = nullptr;
  NetworkTaps taps_;
  SegmentGeometry geometry_;
  std::vector<int> cuts_;
  std::vector<std::int64_t> macs_;  // per pixel
  std::vector<Part> whole_;         // by first cut
  std::vector<Part> parts_;
  std::vector<LayerCols> cols_;  // [end][strips][layer]
  std::vector<int> image_cols_;  // [end][strips]
  std::vector<LayerRows> rows_;  // of the segments that begin at one cut
  LayerRows input_rows_;
  std::vector<int> needed_;
  std::vector<int> read_end_;
  std::vector<Held> held_;
  std::vector<std::int64_t> change_;
  std::vector<Label> labels_;
};

SegmentSweep::SegmentSweep(SegmentLimits limits, InputMode input)
    : workspace_(std::make_unique<Workspace>(limits, input)) {}
SegmentSweep::~SegmentSweep() = default;
SegmentSweep::SegmentSweep(SegmentSweep&&) noexcept = default;
SegmentSweep& SegmentSweep::operator=(SegmentSweep&&) noexcept = default;

void SegmentSweep::assign(const Network& network, std::int64_t most_bytes) {
  workspace_->assign(network, most_bytes);
}

std::optional<SegmentChain> SegmentSweep::cheapest(std::int64_t most_bytes) {
  return workspace_->cheapest(most_bytes);
}

std::vector<SegmentChain> SegmentSweep::front() {
  std::vector<SegmentChain> chains;
  std::int64_t most_bytes = kNever;
  while (std::optional<SegmentChain> chain = cheapest(most_bytes)) {
    most_bytes = chain->deployed_bytes - 1;
    if (!chains.empty() && chains.back().macs == chain->macs) {
      chains.back() = std::move(*chain);  // as few, with less SRAM
    } else {
      chains.push_back(std::move(*chain));
    }
  }
  return chains;
}

PatchSchedule with_longest_steps(const Network& network, const PatchSchedule& schedule,
                                 InputMode input, std::int64_t most_bytes) {
  PatchSchedule longest = schedule;
  for (Segment& segment : longest.segments) {
    const int rows = network.shape(segment.first_layer + 1).height;
    const int shortest = segment.step_rows;
    for (int more = 2 * shortest; more <= rows && segment.halo() == HaloPolicy::kCache; more *= 2) {
      const int before = std::exchange(segment.step_rows, more);
      if (plan_arena(ExecutionPlan(network, longest, input)).arena_bytes > most_bytes) {
        segment.step_rows = before;
        break;
      }
    }
  }
  return longest;
}

}  // namespace patchnas
