#include "memory_models/segment_sweep.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>

#include "arch/operator_table.h"
#include "arch/row_schedules.h"
#include "arch/tile_geometry.h"
#include "memory_models/arena_plan.h"
#include "runtime/scratch.h"

namespace patchnas {
namespace {

// Of the last so many cuts what ends there is kept: a path visits them in their order, and a
// network may have thousands.
constexpr int kKeptEnds = 64;

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr double kUnreached = std::numeric_limits<double>::infinity();

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
  int window = 0;    // most rows held
  int computed = 0;  // most rows added by a step
  int steps = 0;     // until all layers up to this one are complete
  bool keeps = false;
  std::int64_t distance = 0;  // of the output of a segment of one strip that ends with it, if that
                              // is written over the segment's input
  Over over;
  Over summed_over;  // if the next layer adds it up: then nothing of it is kept
  int cut = 0;       // SegmentCosts::rows()
};

// And along the columns, in segments that end at one cut, of so many strips.
struct LayerCols {
  int window = 0;
  int computed = 0;
  int total = 0;  // computed by all strips
  Ratio over_dying;
  std::array<bool, 2> agrees{};
  int cut = 0;  // SegmentCosts::columns(): of an input from the segment, and from outside
  int cut_of_outside = 0;
};

// The layers between two cuts, whole.
struct WholeLayers {
  std::int64_t bytes = 0;
  std::int64_t macs = 0;
  double cost = 0.0;
};

// The best chain up to a cut, by its last part.
struct Label {
  double cost = kUnreached;
  std::int64_t calls = 0;  // in segments
  std::int64_t bytes = 0;
  int first = 0;   // the cut, by index, where the last part begins
  int strips = 0;  // 0 for layer by layer

  [[nodiscard]] auto order() const { return std::tuple(cost, calls, bytes); }
};

// What is known of the segments that begin at one cut.
struct Beginning {
  int end_layer = 0;              // up to which it is known
  std::vector<LayerRows> layers;  // from the cut on
  int image_window = 0;           // most rows of a streamed image
  bool keeps_image = false;
  int image_cut = 0;

  [[nodiscard]] const LayerRows& rows(int first, int layer) const {
    return layers[at(layer - first)];
  }
};

// Of the segments of so many strips that end at one cut.
struct Ending {
  int end = -1;  // which cut, by index
  std::vector<LayerCols> layers;
  int image_window = 0;
  int image_cut = 0;
  std::vector<std::int64_t> macs_before;  // of the layers before each, and of all
};

}  // namespace

class SegmentSweep::Workspace {
 public:
  Workspace(SegmentLimits limits, InputMode input, SegmentCosts* costs)
      : limits_(limits), input_(input), costs_(costs) {}

  void assign(const Network& network) {
    network_ = &network;
    taps_.assign(network);
    if (costs_ != nullptr) {
      costs_->assign(network);
    }
    cuts_ = segment_cuts(network);
    macs_.clear();
    is_pointwise_.clear();
    passes_over_columns_ = false;
    for (int layer = 0; layer < network.layer_count(); ++layer) {
      macs_.push_back(macs_per_pixel(network, layer));
      is_pointwise_.push_back(
          kernel_function(network.layers[at(layer)]) == KernelFunction::kPointwise ? 1 : 0);
      passes_over_columns_ = passes_over_columns_ || taps_.taps(Axis::kCols, layer).passes_over();
    }
    beginnings_.resize(std::max(beginnings_.size(), cuts_.size()));
    for (Beginning& beginning : beginnings_) {
      beginning.end_layer = 0;
    }
    endings_.resize(
        std::max(endings_.size(), std::min(cuts_.size(), at(kKeptEnds)) * at(limits_.most_strips)));
    for (Ending& ending : endings_) {
      ending.end = -1;
    }
    add_whole_layers();
    add_live_bytes();
    find_ends();
  }

  std::optional<SegmentChain> cheapest(std::int64_t most_bytes) {
    labels_.assign(cuts_.size(), {});
    labels_.front() = {.cost = 0.0};
    for (int end = 1; end < static_cast<int>(cuts_.size()); ++end) {
      find_last_part(end, most_bytes);
    }
    const Label& last = labels_.back();
    if (last.cost == kUnreached) {
      return std::nullopt;
    }
    SegmentChain chain{.schedule = {}, .macs = 0, .cost = last.cost, .deployed_bytes = last.bytes};
    for (int cut = static_cast<int>(cuts_.size()) - 1; cut > 0; cut = labels_[at(cut)].first) {
      const auto& [cost, calls, bytes, first, strips] = labels_[at(cut)];
      if (strips == 0) {
        chain.macs += whole_[at(first)].macs;
        continue;
      }
      chain.macs += segment_macs(first, cut, strips);
      chain.schedule.segments.push_back(Segment::rows(cuts_[at(first)], cuts_[at(cut)], 1, strips));
    }
    std::reverse(chain.schedule.segments.begin(), chain.schedule.segments.end());
    return chain;
  }

  void lengthen_steps(SegmentChain& chain, std::int64_t most_bytes) {
    const auto cut = [this](int layer) {
      return static_cast<int>(std::lower_bound(cuts_.begin(), cuts_.end(), layer) - cuts_.begin());
    };
    for (Segment& segment : chain.schedule.segments) {
      const int rows = network_->shape(segment.first_layer + 1).height;
      for (int more = 2 * segment.step_rows; more <= rows; more *= 2) {
        draw_rows(segment.first_layer, segment.end_layer, more, longer_);
        const std::int64_t bytes = bytes_of(longer_, cut(segment.first_layer),
                                            cut(segment.end_layer), segment.grid.cols, most_bytes);
        if (bytes > most_bytes) {
          break;
        }
        segment.step_rows = more;
        chain.deployed_bytes = std::max(chain.deployed_bytes, bytes);
      }
    }
  }

 private:
  [[nodiscard]] const Layer& layer(int index) const { return network_->layers[at(index)]; }

  [[nodiscard]] bool sums(int first_layer, int end_layer) const {
    return adds_up(Segment::rows(first_layer, end_layer, 1, 1), taps_.is_global_sum(end_layer - 1));
  }

  // The columns of the layer that is divided, of a segment between two cuts.
  [[nodiscard]] int most_strips(int first, int end) const {
    const int end_layer = cuts_[at(end)];
    const int paced = end_layer - (sums(cuts_[at(first)], end_layer) ? 2 : 1);
    return std::min(limits_.most_strips, taps_.taps(Axis::kCols, paced).output);
  }

  // ----- the path

  // Bytes are found out last, and only of what would be the best: they are what costs time.
  void find_last_part(int end, std::int64_t most_bytes) {
    Label& best = labels_[at(end)];
    const auto consider = [&](const Label& label) {
      if (label.bytes <= most_bytes && label.order() < best.order()) {
        best = label;
      }
    };
    if (const Label& from = labels_[at(end - 1)]; from.cost != kUnreached) {
      const WholeLayers& whole = whole_[at(end - 1)];
      consider({.cost = from.cost + whole.cost,
                .calls = from.calls,
                .bytes = std::max(from.bytes, whole.bytes),
                .first = end - 1});
    }
    // First of one strip: more of them make more calls, and seldom fewer multiply-accumulates.
    for (const bool in_strips : {false, true}) {
      for (int first = end - 1; first >= first_cuts_[at(end)]; --first) {
        const Label& from = labels_[at(first)];
        const int least_strips = in_strips ? 2 : 1;
        if (from.cost == kUnreached || !may_be_segment(first, end) ||
            std::tuple(from.cost + least_cost(first, end),
                       from.calls + least_strips * least_calls(first, end)) >=
                std::tuple(best.cost, best.calls)) {
          continue;
        }
        const int most = in_strips ? most_strips(first, end) : 1;
        for (int strips = least_strips; strips <= most; ++strips) {
          if (is_whole(first, end, strips)) {
            continue;
          }
          Label label{.cost = from.cost + segment_cost(first, end, strips),
                      .calls = from.calls + segment_calls(first, end, strips),
                      .bytes = from.bytes,
                      .first = first,
                      .strips = strips};
          if (label.order() < best.order()) {
            label.bytes = std::max(label.bytes,
                                   bytes_of(beginning(first, end), first, end, strips, most_bytes));
            consider(label);
          }
        }
      }
    }
  }

  [[nodiscard]] std::int64_t segment_macs(int first, int end, int strips) {
    const std::vector<std::int64_t>& before = ending(end, strips).macs_before;
    return before[at(cuts_[at(end)])] - before[at(cuts_[at(first)])];
  }

  // Of any number of strips. All of them compute what one does, unless a layer passes over columns:
  // then what lies between two strips may be none's.
  [[nodiscard]] double least_cost(int first, int end) {
    return passes_over_columns_ ? 0.0 : segment_cost(first, end, 1);
  }

  double segment_cost(int first, int end, int strips) {
    if (costs_ == nullptr) {
      return static_cast<double>(segment_macs(first, end, strips));
    }
    const Beginning& b = beginning(first, end);
    const Ending& e = ending(end, strips);
    const int first_layer = cuts_[at(first)];
    const int end_layer = cuts_[at(end)];
    const bool is_sum = sums(first_layer, end_layer);
    double cost = costs_->step() * strips * b.rows(first_layer, end_layer - 1).steps;
    for (int l = first_layer; l < end_layer; ++l) {
      const LayerRows& r = b.rows(first_layer, l);
      const LayerCols& c = e.layers[at(l)];
      if (is_sum && l + 1 == end_layer) {
        cost += costs_->sum(l, b.rows(first_layer, l - 1).cut, e.layers[at(l - 1)].cut);
        continue;
      }
      const bool is_whole = l + 1 == end_layer || taps_.last_reader(l + 1) >= end_layer;
      const bool is_summed = is_sum && l + 2 == end_layer;
      const bool reads_whole = taps_.inputs(l)[0] <= first_layer;
      const LayerPlace place{
          .over_input = !is_whole && lies_over_dying(l, first_layer, r, c, is_summed),
          .slides = !is_whole && !is_summed};
      cost += costs_->layer(l, r.cut, reads_whole ? c.cut_of_outside : c.cut, place);
    }
    if (is_window_of_image(first_layer, end_layer) && b.keeps_image) {
      cost += costs_->moves(network_->input.channels, b.image_cut, e.image_cut);
    }
    return cost;
  }

  // Whether a streamed image is held in parts by the segment.
  [[nodiscard]] bool is_window_of_image(int first, int end_layer) const {
    return first == 0 && input_ == InputMode::kStreamed && taps_.last_reader(0) < end_layer;
  }

  // Of a depthwise layer.
  [[nodiscard]] bool lies_over_dying(int l, int first, const LayerRows& r, const LayerCols& c,
                                     bool is_summed) const {
    const bool keeps = r.keeps && !is_summed;
    return operator_facts(layer(l).kind).in_place == InPlace::kWithScratch &&
           may_lie_over(l, 0, first) && !keeps &&
           (is_summed ? r.summed_over : r.over).dying.fits(c.over_dying);
  }

  // Whether a kernel could write over the input, if its windows are such.
  [[nodiscard]] bool may_lie_over(int l, int j, int first) const {
    const TensorId input = taps_.inputs(l)[at(j)];
    const AxisTaps& axis = taps_.taps(Axis::kCols, l);
    return input > first && may_overwrite(layer(l), j) && taps_.last_reader(input) == l &&
           axis.output <= axis.input;
  }

  // In a single piece a segment is none, but may leave out what nothing reads: which only counts of
  // multiply-accumulates see, while what is measured around calls differs by a little.
  [[nodiscard]] bool is_whole(int first, int end, int strips) {
    const int first_layer = cuts_[at(first)];
    const int end_layer = cuts_[at(end)];
    return strips == 1 && (costs_ != nullptr || end_layer == first_layer + 1) &&
           beginning(first, end).rows(first_layer, end_layer - 1).steps == 1;
  }

  [[nodiscard]] std::int64_t segment_calls(int first, int end, int strips) {
    const int first_layer = cuts_[at(first)];
    const int end_layer = cuts_[at(end)];
    const int steps = beginning(first, end).rows(first_layer, end_layer - 1).steps;
    return std::int64_t{steps} * strips * (end_layer - first_layer);
  }

  // Of one strip: a step adds one row to what the first layer computes.
  [[nodiscard]] std::int64_t least_calls(int first, int end) const {
    const int first_layer = cuts_[at(first)];
    return std::int64_t{layer(first_layer).output.height} * (cuts_[at(end)] - first_layer);
  }

  void add_whole_layers() {
    const std::vector<std::int64_t> live =
        live_bytes(unplaced_arena_plan(ExecutionPlan(*network_, {}, input_)).buffers);
    whole_.clear();
    for (int first = 0; first + 1 < static_cast<int>(cuts_.size()); ++first) {
      WholeLayers& whole = whole_.emplace_back();
      for (int l = cuts_[at(first)]; l < cuts_[at(first + 1)]; ++l) {
        whole.bytes = std::max(whole.bytes, live[at(l)]);
        whole.macs += layer_macs(*network_, l);
        whole.cost += costs_ != nullptr ? costs_->whole(l) : 0.0;
      }
      whole.cost = costs_ != nullptr ? whole.cost : static_cast<double>(whole.macs);
    }
  }

  // What every step of a segment leaves where it is: what was computed before and is read later.
  void add_live_bytes() {
    live_.assign(cuts_.size(), 0);
    for (TensorId tensor = 0; tensor < network_->tensor_count(); ++tensor) {
      const int last = taps_.last_reader(tensor);
      const int first = tensor < taps_.input_count() ? 0 : tensor;
      for (auto cut = std::lower_bound(cuts_.begin(), cuts_.end(), first);
           cut != cuts_.end() && *cut <= last; ++cut) {
        live_[at(static_cast<int>(cut - cuts_.begin()))] +=
            aligned(network_->shape(tensor).elements());
      }
    }
  }

  // Which segments there may be, and of those that end at each cut, where the longest begins.
  void find_ends() {
    ends_.clear();
    first_cuts_.resize(cuts_.size());
    std::iota(first_cuts_.begin(), first_cuts_.end(), 0);
    for (int first = 0; first + 1 < static_cast<int>(cuts_.size()); ++first) {
      ends_.push_back(segment_ends(*network_, taps_.last_readers(), cuts_[at(first)]));
      for (int end = first + 1;
           end < static_cast<int>(cuts_.size()) && !is_beyond(ends_.back(), first, end); ++end) {
        if (may_be_segment(first, end)) {
          first_cuts_[at(end)] = std::min(first_cuts_[at(end)], first);
        }
      }
    }
  }

  [[nodiscard]] bool is_beyond(const std::vector<char>& ends, int first, int end) const {
    return cuts_[at(end)] - cuts_[at(first)] > static_cast<int>(ends.size());
  }

  [[nodiscard]] bool may_be_segment(int first, int end) const {
    const std::vector<char>& ends = ends_[at(first)];
    return !is_beyond(ends, first, end) && ends[at(cuts_[at(end)] - cuts_[at(first)] - 1)] != 0;
  }

  // ----- columns

  const Ending& ending(int end, int strips) {
    Ending& e = endings_[at(end % kKeptEnds * limits_.most_strips + strips - 1)];
    if (e.end != end) {
      draw_columns(cuts_[at(end)], strips, e);
      e.end = end;
    }
    return e;
  }

  void draw_columns(int end_layer, int strips, Ending& e) {
    const bool is_sum = sums(0, end_layer);
    const int drawn = end_layer - (is_sum ? 1 : 0);  // what adds up reads what is before it
    geometry_.assign(taps_, Segment::patches(0, drawn, {1, strips}));
    e.layers.assign(at(end_layer), {});
    for (int l = 0; l < drawn; ++l) {
      const bool is_summed = is_sum && l == drawn - 1;
      draw_columns_of(l, strips, is_summed, e.layers[at(l)]);
      if (costs_ != nullptr) {
        e.layers[at(l)].cut = costs_->columns(l, geometry_, is_summed, false);
        e.layers[at(l)].cut_of_outside = costs_->columns(l, geometry_, is_summed, true);
      }
    }
    held_of_image_.clear();
    for (int i = 0; i < strips; ++i) {
      held_of_image_.push_back(geometry_.external_window(kImage, 0, i).cols.size());
    }
    e.image_window = *std::max_element(held_of_image_.begin(), held_of_image_.end());
    e.image_cut = costs_ != nullptr ? costs_->held_columns(held_of_image_) : 0;
    if (is_sum) {
      LayerCols& sum = e.layers[at(drawn)];
      sum.window = sum.computed = sum.total = taps_.taps(Axis::kCols, drawn).output;
      if (costs_ != nullptr) {  // where it is the only layer of its segment
        geometry_.assign(taps_, Segment::patches(drawn, end_layer, {1, 1}));
        sum.cut = sum.cut_of_outside = costs_->columns(drawn, geometry_, false, true);
      }
    }
    e.macs_before.assign(1, 0);
    for (int l = 0; l < end_layer; ++l) {
      e.macs_before.push_back(e.macs_before.back() +
                              macs_[at(l)] * layer(l).output.height * e.layers[at(l)].total);
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
          c.agrees[j] = c.agrees[j] && same_positions(under, window);
          if (j == 0) {
            c.over_dying.raise(window.size(), under.size());
          }
        }
      }
    }
  }

  // ----- rows

  // Of segments up to `end`, at least.
  const Beginning& beginning(int first, int end) {
    Beginning& b = beginnings_[at(first)];
    const int first_layer = cuts_[at(first)];
    const int end_layer = cuts_[at(end)];
    if (b.end_layer < end_layer) {
      const int last_end = first_layer + static_cast<int>(ends_[at(first)].size());
      draw_rows(first_layer, std::min(last_end, 2 * end_layer - first_layer), 1, b);
    }
    return b;
  }

  // With one row a step the layers of a segment know nothing of where it ends.
  void draw_rows(int first, int end_layer, int step_rows, Beginning& b) {
    geometry_.assign(taps_, Segment::rows(first, end_layer, step_rows, 1));
    const int steps = geometry_.grid().rows;
    b.layers.assign(at(end_layer - first), {});
    draw_input_rows(first, end_layer, steps, b);
    int steps_before = 0;
    for (int l = first; l < end_layer; ++l) {
      LayerRows& r = b.layers[at(l - first)];
      draw_rows_of(first, l, steps, r);
      r.steps = steps_before = std::max(steps_before, r.steps);
      r.distance = aligned_distance(first, l, steps);
      r.cut = costs_ != nullptr && step_rows == 1 ? costs_->rows(l, geometry_) : 0;
    }
    b.end_layer = end_layer;
  }

  // Of the tensor that the segment reads: the first row that is read from each step on, and what is
  // held of a streamed image.
  void draw_input_rows(int first, int end_layer, int steps, Beginning& b) {
    needed_.assign(at(steps) + 1, std::numeric_limits<int>::max());
    read_end_.assign(at(steps), 0);
    for (int l = first; l <= std::min(taps_.last_reader(first), end_layer - 1); ++l) {
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
    b.image_window = 0;
    b.keeps_image = false;
    kept_of_image_.clear();
    int there = 0;
    int begin_before = 0;
    for (int step = 0; step < steps; ++step) {
      const int begin = std::min(there, needed_[at(step)]);
      b.keeps_image = b.keeps_image || (step > 0 && begin < there);
      if (begin > begin_before && begin < there) {
        kept_of_image_.push_back(there - begin);
      }
      begin_before = begin;
      there = std::max(there, read_end_[at(step)]);
      b.image_window = std::max(b.image_window, there - begin);
    }
    b.image_cut = costs_ != nullptr ? costs_->kept_rows(kept_of_image_) : 0;
  }

  void draw_rows_of(int first, int l, int steps, LayerRows& r) {
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
      r.steps = span.computed.empty() ? r.steps : step + 1;
      r.keeps = r.keeps || dying(spans, step) < span.window.size();
      for (std::size_t j = 0; j < 2; ++j) {
        if (under[j] != nullptr) {
          const Interval& window = under[j][step].window;
          r.over.agrees[j] = r.over.agrees[j] && same_positions(window, span.window);
          r.summed_over.agrees[j] = r.summed_over.agrees[j] && same_positions(window, part);
        }
      }
      if (under[0] != nullptr) {
        r.over.dying.raise(span.window.size(), dying(under[0], step));
        r.summed_over.dying.raise(part.size(), dying(under[0], step));
      }
    }
  }

  // ----- segments

  struct Held {
    std::int64_t bytes = 0;
    int first_step = 0;
    int last_step = 0;
    bool keeps = false;
    int over = -1;  // of the layers that computed what it lies over
  };

  // As ExecutionPlan has it, of one loop; kNever if what lives through all of it is too much.
  std::int64_t bytes_of(const Beginning& b, int first_cut, int end_cut, int strips,
                        std::int64_t most_bytes) {
    const Ending& e = ending(end_cut, strips);
    const int first = cuts_[at(first_cut)];
    const int end_layer = cuts_[at(end_cut)];
    const int count = end_layer - first;
    const bool is_sum = sums(first, end_layer);
    held_.assign(at(count), {});
    change_.assign(at(count) + 1, 0);
    const auto hold = [&](std::int64_t bytes, int from, int to) {
      change_[at(from - first)] += aligned(bytes);
      change_[at(to - first) + 1] -= aligned(bytes);
    };
    const TensorShape& input = network_->shape(first);
    const TensorShape& output = network_->shape(end_layer);
    const bool input_dies =
        first <= taps_.last_reader(first) && taps_.last_reader(first) < end_layer;
    const bool is_streamed = is_window_of_image(first, end_layer);
    std::int64_t throughout = live_[at(first_cut)];
    if (is_streamed) {
      throughout -= aligned(input.elements());
      hold(std::int64_t{b.image_window} * e.image_window * input.channels, first,
           b.keeps_image ? end_layer - 1 : taps_.last_reader(0));
    }
    hold(throughout, first, end_layer - 1);
    for (int l = first; l + 1 < end_layer; ++l) {
      const bool is_summed = is_sum && l + 2 == end_layer;
      const LayerRows& r = b.rows(first, l);
      const LayerCols& c = e.layers[at(l)];
      Held& held = held_[at(l - first)];
      if (taps_.last_reader(l + 1) >= end_layer) {  // an output of the network, which is whole
        held = {
            .bytes = layer(l).output.elements(), .first_step = first, .last_step = end_layer - 1};
        throughout += held.bytes;
        hold(held.bytes, held.first_step, held.last_step);
        hold(scratch_of(l, r, c), l, l);
        continue;
      }
      const int window = is_summed ? r.computed : r.window;
      const bool keeps = r.keeps && !is_summed;
      held.bytes = std::int64_t{window} * c.window * layer(l).output.channels;
      throughout += keeps ? held.bytes : 0;
      if (throughout > most_bytes) {
        return kNever;
      }
      held.keeps = keeps;
      held.first_step = keeps ? first : l;
      held.last_step = keeps ? end_layer - 1 : std::max(l, taps_.last_reader(l + 1));
      hold(held.bytes, held.first_step, held.last_step);
      hold(scratch_of(l, r, c), l, l);
      write_over_input(l, first, is_summed ? r.summed_over : r.over, c, keeps, held);
    }
    const LayerRows& last_rows = b.rows(first, end_layer - 1);
    hold(output.elements(), first, end_layer - 1);
    hold(scratch_of(end_layer - 1, last_rows, e.layers[at(end_layer - 1)]), end_layer - 1,
         end_layer - 1);
    if (is_sum) {
      hold(output.channels * std::int64_t{sizeof(std::int32_t)}, first, end_layer - 1);
    } else if (strips == 1 && !is_streamed && input_dies) {
      const std::int64_t shared =
          std::min(input.elements(), last_rows.distance + output.elements());
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
    if (is_pointwise_[at(l)] != 0) {
      write_behind_input(l, first, over, c, keeps, held);
      return;
    }
    const InPlace rule = operator_facts(layer(l).kind).in_place;
    if (rule == InPlace::kNever) {
      return;
    }
    for (int asked = 0; asked < layer(l).input_count(); ++asked) {
      const int j = by_age(layer(l).inputs, asked);
      const TensorId input = taps_.inputs(l)[at(j)];
      if (!may_lie_over(l, j, first)) {
        continue;
      }
      const bool fits = rule == InPlace::kEqualWindow ? over.agrees[at(j)] && c.agrees[at(j)] &&
                                                            !held_[at(input - 1 - first)].keeps
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

  void write_behind_input(int l, int first, const Over& over, const LayerCols& c, bool keeps,
                          const Held& held) {
    const TensorId input = taps_.inputs(l)[0];
    if (input <= first || taps_.last_reader(input) != l || keeps ||
        held_[at(input - 1 - first)].keeps || !over.agrees[0] || !c.agrees[0]) {
      return;
    }
    const int input_channels = network_->shape(input).channels;
    const int channels = layer(l).output.channels;
    const std::int64_t distance =
        aligned(patchnas_pointwise_distance_bytes(held.bytes / channels, input_channels, channels));
    const std::int64_t shared = aligned(std::max(std::int64_t{0}, held.bytes - distance));
    change_[at(l - first)] -= shared;
    change_[at(l - first) + 1] += shared;
  }

  // As ExecutionPlan::write_over_consumed() has it, of one strip and the segment's last layer.
  std::int64_t aligned_distance(int first, int last, int steps) {
    const TensorShape& input = network_->shape(first);
    const TensorShape& output = network_->shape(last + 1);
    const std::int64_t input_row = std::int64_t{input.width} * input.channels;
    const std::int64_t output_row = std::int64_t{output.width} * output.channels;
    const bool reads_before_it_writes = operator_facts(layer(last).kind).computes_by_element();
    std::int64_t distance = 0;
    int needed = std::numeric_limits<int>::max();
    for (int step = steps; step-- > 0;) {
      const LayerSpan& span = geometry_.span(Axis::kRows, last, step);
      for (std::size_t j = 0; !reads_before_it_writes && j < 2; ++j) {
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
  SegmentCosts* costs_;  // null for multiply-accumulates
  const Network* network_ = nullptr;
  NetworkTaps taps_;
  SegmentGeometry geometry_;
  std::vector<int> cuts_;
  std::vector<std::int64_t> macs_;  // per pixel
  std::vector<char> is_pointwise_;
  bool passes_over_columns_ = false;
  std::vector<WholeLayers> whole_;       // by first cut
  std::vector<std::int64_t> live_;       // by first cut: what lives through all that begins there
  std::vector<std::vector<char>> ends_;  // by first cut, as segment_ends() has them
  std::vector<int> first_cuts_;          // by end
  std::vector<Beginning> beginnings_;
  Beginning longer_;             // of a segment with more rows a step
  std::vector<Ending> endings_;  // [end modulo kKeptEnds][strips]
  std::vector<int> needed_;
  std::vector<int> read_end_;
  std::vector<int> held_of_image_;  // columns by strip
  std::vector<int> kept_of_image_;  // rows by step
  std::vector<Held> held_;
  std::vector<std::int64_t> change_;
  std::vector<Label> labels_;
};

SegmentSweep::SegmentSweep(SegmentLimits limits, InputMode input, SegmentCosts* costs)
    : workspace_(std::make_unique<Workspace>(limits, input, costs)) {}
SegmentSweep::~SegmentSweep() = default;
SegmentSweep::SegmentSweep(SegmentSweep&&) noexcept = default;
SegmentSweep& SegmentSweep::operator=(SegmentSweep&&) noexcept = default;

void SegmentSweep::assign(const Network& network) { workspace_->assign(network); }

std::optional<SegmentChain> SegmentSweep::cheapest(std::int64_t most_bytes) {
  return workspace_->cheapest(most_bytes);
}

SegmentChain SegmentSweep::least(std::int64_t too_few_bytes) {
  SegmentChain least = *cheapest(kNever);
  while (least.deployed_bytes - too_few_bytes > kArenaAlignmentBytes) {
    const std::int64_t between = too_few_bytes + (least.deployed_bytes - too_few_bytes) / 2;
    if (std::optional<SegmentChain> chain = cheapest(between)) {
      least = std::move(*chain);
    } else {
      too_few_bytes = between;
    }
  }
  return least;
}

std::vector<SegmentChain> SegmentSweep::front() {
  std::vector<SegmentChain> chains;
  std::int64_t most_bytes = kNever;
  while (std::optional<SegmentChain> chain = cheapest(most_bytes)) {
    most_bytes = chain->deployed_bytes - 1;
    if (!chains.empty() && chains.back().cost == chain->cost) {
      chains.back() = std::move(*chain);  // as few, with less SRAM
    } else {
      chains.push_back(std::move(*chain));
    }
  }
  return chains;
}

void SegmentSweep::lengthen_steps(SegmentChain& chain, std::int64_t most_bytes) {
  workspace_->lengthen_steps(chain, most_bytes);
}

}  // namespace patchnas
