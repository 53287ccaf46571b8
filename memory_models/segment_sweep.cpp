#include "memory_models/segment_sweep.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "memory_models/arena_plan.h"
#include "memory_models/network_cuts.h"
#include "memory_models/segment_axes.h"
#include "memory_models/segment_bytes.h"

namespace patchnas {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr double kUnreached = std::numeric_limits<double>::infinity();

std::size_t at(int index) { return static_cast<std::size_t>(index); }

int quotient_up(int a, int b) { return (a + b - 1) / b; }

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
  int first = 0;   // the cut where the last part begins
  int strips = 0;  // 0 for layer by layer
  int step_rows = 0;

  [[nodiscard]] auto order() const { return std::tuple(cost, calls, bytes); }
};

}  // namespace

class SegmentSweep::Workspace {
 public:
  Workspace(SegmentLimits limits, InputMode input, SegmentCosts* costs)
      : limits_(limits),
        input_(input),
        costs_(costs),
        axes_(cuts_, limits.most_strips, costs),
        bytes_(cuts_, input) {}

  void assign(const Network& network) {
    if (costs_ != nullptr) {
      costs_->assign(network);
    }
    cuts_.assign(network);
    axes_.assign();
    bytes_.assign();
    passes_over_columns_ = false;
    for (int layer = 0; layer < network.layer_count(); ++layer) {
      passes_over_columns_ =
          passes_over_columns_ || cuts_.taps().taps(Axis::kCols, layer).passes_over();
    }
    add_whole_layers();
  }

  std::optional<SegmentChain> cheapest(std::int64_t most_bytes) {
    labels_.assign(at(cuts_.count()), {});
    labels_.front() = {.cost = 0.0};
    for (int end = 1; end < cuts_.count(); ++end) {
      find_last_part(end, most_bytes);
    }
    const Label& last = labels_.back();
    if (last.cost == kUnreached) {
      return std::nullopt;
    }
    SegmentChain chain{.schedule = {}, .macs = 0, .cost = last.cost, .deployed_bytes = last.bytes};
    for (int cut = cuts_.count() - 1; cut > 0; cut = labels_[at(cut)].first) {
      const Label& label = labels_[at(cut)];
      if (label.strips == 0) {
        chain.macs += whole_[at(label.first)].macs;
        continue;
      }
      chain.macs += segment_macs(label.first, cut, label.strips);
      chain.schedule.segments.push_back(
          Segment::rows(cuts_.layer(label.first), cuts_.layer(cut), label.step_rows, label.strips));
    }
    std::reverse(chain.schedule.segments.begin(), chain.schedule.segments.end());
    return chain;
  }

  // Of the chain that needs the least. One row a step seldom needs more than several: it comes
  // first, so that these need not be priced.
  std::int64_t least_bytes() {
    std::vector<std::int64_t> least{0};  // up to each cut
    for (int end = 1; end < cuts_.count(); ++end) {
      std::int64_t best = std::max(least.back(), whole_[at(end - 1)].bytes);
      for (const bool is_longer : {false, true}) {
        for (int first = end - 1; first >= cuts_.first_cut(end); --first) {
          if (least[at(first)] >= best || !cuts_.may_be_segment(first, end)) {
            continue;
          }
          const auto find = [&](int step_rows, int strips) {
            best = std::min(
                best, std::max(least[at(first)],
                               least_bytes_in_strips(first, end, step_rows, strips, best - 1)));
          };
          if (is_longer) {
            for_fitting(first, end, 1, most_strips(first, end), best - 1, find);
          } else {
            find(1, 1);
          }
        }
      }
      least.push_back(best);
    }
    return least.back();
  }

 private:
  // The columns of the layer that is divided, of a segment between two cuts.
  [[nodiscard]] int most_strips(int first, int end) const {
    const int end_layer = cuts_.layer(end);
    const int paced = end_layer - (cuts_.sums(cuts_.layer(first), end_layer) ? 2 : 1);
    return std::min(limits_.most_strips, cuts_.taps().taps(Axis::kCols, paced).output);
  }

  void find_last_part(int end, std::int64_t most_bytes) {
    if (const Label& from = labels_[at(end - 1)]; from.cost != kUnreached) {
      const WholeLayers& whole = whole_[at(end - 1)];
      consider({.cost = from.cost + whole.cost,
                .calls = from.calls,
                .bytes = std::max(from.bytes, whole.bytes),
                .first = end - 1},
               end, most_bytes);
    }
    // First of one strip: more of them make more calls, and seldom fewer multiply-accumulates.
    for (const bool in_strips : {false, true}) {
      for (int first = end - 1; first >= cuts_.first_cut(end); --first) {
        if (labels_[at(first)].cost != kUnreached && cuts_.may_be_segment(first, end)) {
          find_segment(first, end, in_strips ? 2 : 1, in_strips ? most_strips(first, end) : 1,
                       most_bytes);
        }
      }
    }
  }

  void consider(const Label& label, int end, std::int64_t most_bytes) {
    Label& best = labels_[at(end)];
    if (label.bytes <= most_bytes && label.order() < best.order()) {
      best = label;
    }
  }

  // Calls visit(rows a step, strips) for a segment between two cuts, with every number of rows a
  // step and the fewest strips of which it is not known that they need more bytes. More rows make
  // fewer calls, which nearly always cost less: so the most come first.
  template <typename Visit>
  void for_fitting(int first, int end, int least_strips, int most_strips, std::int64_t most_bytes,
                   const Visit& visit) {
    const SegmentRows& one_row = axes_.rows(first, end, 1);
    const auto fitting_strips = [&](int step_rows, int strips) {
      while (strips <= most_strips &&
             bytes_.least_bytes(one_row, axes_.columns(end, strips), first, end, step_rows, strips,
                                most_bytes) > most_bytes) {
        ++strips;
      }
      return strips;
    };
    int step_rows = cuts_.network().shape(cuts_.layer(first) + 1).height;
    while (step_rows > 0) {  // what is known not to fit with the fewest, does not with more
      const int fewest = bytes_.fewest_alike(one_row, first, end, step_rows);
      const int least_fitting = fitting_strips(fewest, least_strips);
      step_rows = least_fitting <= most_strips ? step_rows : fewest - 1;
      for (; step_rows >= fewest; --step_rows) {
        const int strips = fitting_strips(step_rows, least_fitting);
        if (strips <= most_strips) {
          visit(step_rows, strips);
        }
      }
    }
  }

  void find_segment(int first, int end, int least_strips, int most_strips,
                    std::int64_t most_bytes) {
    const double cost = least_cost(first, end);
    if (!may_be_best(first, end, cost, 1, least_strips)) {
      return;
    }
    const int rows = axes_.rows(first, end, 1).at(cuts_.layer(end) - 1).steps;
    for_fitting(first, end, least_strips, most_strips, most_bytes, [&](int step_rows, int strips) {
      if (may_be_best(first, end, cost, quotient_up(rows, step_rows), strips)) {
        find_strips(first, end, step_rows, strips, most_strips, most_bytes);
      }
    });
  }

  // In so many rows a step. What is dear to know comes last, and only of what may be the best:
  // bytes, and of several strips latency.
  void find_strips(int first, int end, int step_rows, int least_strips, int most_strips,
                   std::int64_t most_bytes) {
    const Label& from = labels_[at(first)];
    const SegmentRows& rows = axes_.rows(first, end, step_rows);
    const int steps = rows.at(cuts_.layer(end) - 1).steps;
    for (int strips = least_strips; strips <= most_strips; ++strips) {
      const bool is_cheap = strips == 1 || costs_ == nullptr;
      double cost = is_cheap ? segment_cost(rows, first, end, strips) : 0.0;
      if (is_whole(first, end, steps, strips) || !may_be_best(first, end, cost, steps, strips)) {
        continue;
      }
      const std::int64_t bytes =
          bytes_.bytes(rows, axes_.columns(end, strips), first, end, strips, most_bytes);
      if (bytes > most_bytes) {
        continue;
      }
      cost = is_cheap ? cost : segment_cost(rows, first, end, strips);
      consider({.cost = from.cost + cost,
                .calls = from.calls + calls(first, end, steps, strips),
                .bytes = std::max(from.bytes, bytes),
                .first = first,
                .strips = strips,
                .step_rows = step_rows},
               end, most_bytes);
    }
  }

  // Of so many strips or more; more than `most_bytes` if none needs so little.
  std::int64_t least_bytes_in_strips(int first, int end, int step_rows, int strips,
                                     std::int64_t most_bytes) {
    const SegmentRows& one_row = axes_.rows(first, end, 1);
    const SegmentRows& rows = axes_.rows(first, end, step_rows);
    const int steps = rows.at(cuts_.layer(end) - 1).steps;
    std::int64_t least = kNever;
    for (; strips <= most_strips(first, end); ++strips) {
      const SegmentColumns& columns = axes_.columns(end, strips);
      if (!is_whole(first, end, steps, strips) &&
          bytes_.least_bytes(one_row, columns, first, end, step_rows, strips, most_bytes) <=
              most_bytes) {
        least = std::min(least, bytes_.bytes(rows, columns, first, end, strips, most_bytes));
      }
    }
    return least;
  }

  // Of any number of rows a step and of strips. All strips together compute what one does, unless a
  // layer passes over columns: then what lies between two of them may be none's.
  [[nodiscard]] double least_cost(int first, int end) {
    return costs_ != nullptr || passes_over_columns_
               ? 0.0
               : static_cast<double>(segment_macs(first, end, 1));
  }

  // Whether a segment that costs no less may be the last part of the best chain up to a cut.
  [[nodiscard]] bool may_be_best(int first, int end, double cost, int steps, int strips) const {
    const Label& from = labels_[at(first)];
    const Label& best = labels_[at(end)];
    return std::tuple(from.cost + cost, from.calls + calls(first, end, steps, strips), from.bytes) <
           best.order();
  }

  [[nodiscard]] std::int64_t calls(int first, int end, int steps, int strips) const {
    return std::int64_t{steps} * strips * (cuts_.layer(end) - cuts_.layer(first));
  }

  // In a single piece a segment is none, but may leave out what nothing reads: which only counts of
  // multiply-accumulates see, while what is measured around calls differs by a little.
  [[nodiscard]] bool is_whole(int first, int end, int steps, int strips) const {
    return steps == 1 && strips == 1 &&
           (costs_ != nullptr || cuts_.layer(end) == cuts_.layer(first) + 1);
  }

  [[nodiscard]] std::int64_t segment_macs(int first, int end, int strips) {
    const std::vector<std::int64_t>& before = axes_.columns(end, strips).macs_before;
    return before[at(cuts_.layer(end))] - before[at(cuts_.layer(first))];
  }

  double segment_cost(const SegmentRows& rows, int first, int end, int strips) {
    if (costs_ == nullptr) {
      return static_cast<double>(segment_macs(first, end, strips));
    }
    const SegmentColumns& columns = axes_.columns_with_cuts(end, strips);
    const int first_layer = cuts_.layer(first);
    const int end_layer = cuts_.layer(end);
    const bool is_sum = cuts_.sums(first_layer, end_layer);
    double cost = costs_->step() * strips * rows.at(end_layer - 1).steps;
    for (int l = first_layer; l < end_layer; ++l) {
      const LayerColumns& c = columns.at(l);
      if (is_sum && l + 1 == end_layer) {
        cost += costs_->sum(l, rows.at(l - 1).cut, columns.at(l - 1).cut);
        continue;
      }
      const bool is_whole = l + 1 == end_layer || cuts_.taps().last_reader(l + 1) >= end_layer;
      const bool is_summed = is_sum && l + 2 == end_layer;
      const bool reads_whole = cuts_.taps().inputs(l)[0] <= first_layer;
      const LayerPlace place{
          .over_input = !is_whole && bytes_.lies_over_dying(l, rows, columns, is_summed),
          .slides = !is_whole && !is_summed && !cuts_.is_written_on(l, end_layer)};
      cost += costs_->layer(l, rows.at(l).cut, reads_whole ? c.cut_of_outside : c.cut, place);
    }
    if (bytes_.is_window_of_image(first_layer, end_layer) && rows.keeps_image) {
      cost += costs_->moves(cuts_.network().input.channels, rows.image_cut, columns.image_cut);
    }
    return cost;
  }

  void add_whole_layers() {
    const std::vector<std::int64_t> live =
        live_bytes(unplaced_arena_plan(ExecutionPlan(cuts_.network(), {}, input_)).buffers);
    whole_.clear();
    for (int first = 0; first + 1 < cuts_.count(); ++first) {
      WholeLayers& whole = whole_.emplace_back();
      for (int l = cuts_.layer(first); l < cuts_.layer(first + 1); ++l) {
        whole.bytes = std::max(whole.bytes, live[at(l)]);
        whole.macs += layer_macs(cuts_.network(), l);
        whole.cost += costs_ != nullptr ? costs_->whole(l) : 0.0;
      }
      whole.cost = costs_ != nullptr ? whole.cost : static_cast<double>(whole.macs);
    }
  }

  SegmentLimits limits_;
  InputMode input_;
  SegmentCosts* costs_;  // null for multiply-accumulates
  NetworkCuts cuts_;
  SegmentAxes axes_;
  SegmentBytes bytes_;
  bool passes_over_columns_ = false;
  std::vector<WholeLayers> whole_;  // by first cut
  std::vector<Label> labels_;       // by cut
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

SegmentChain SegmentSweep::least() { return *cheapest(workspace_->least_bytes()); }

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

}  // namespace patchnas
