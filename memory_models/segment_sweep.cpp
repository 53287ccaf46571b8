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
      const auto& [cost, calls, bytes, first, strips] = labels_[at(cut)];
      if (strips == 0) {
        chain.macs += whole_[at(first)].macs;
        continue;
      }
      chain.macs += segment_macs(first, cut, strips);
      chain.schedule.segments.push_back(
          Segment::rows(cuts_.layer(first), cuts_.layer(cut), 1, strips));
    }
    std::reverse(chain.schedule.segments.begin(), chain.schedule.segments.end());
    return chain;
  }

  void lengthen_steps(SegmentChain& chain, std::int64_t most_bytes) {
    for (Segment& segment : chain.schedule.segments) {
      const int first = cuts_.cut(segment.first_layer);
      const int end = cuts_.cut(segment.end_layer);
      const int strips = segment.grid.cols;
      const int rows = cuts_.network().shape(segment.first_layer + 1).height;
      for (int more = 2 * segment.step_rows; more <= rows; more *= 2) {
        const std::int64_t bytes =
            bytes_.bytes(axes_.longer_rows(segment.first_layer, segment.end_layer, more),
                         axes_.columns(end, strips), first, end, strips, most_bytes);
        if (bytes > most_bytes) {
          break;
        }
        segment.step_rows = more;
        chain.deployed_bytes = std::max(chain.deployed_bytes, bytes);
      }
    }
  }

 private:
  // The columns of the layer that is divided, of a segment between two cuts.
  [[nodiscard]] int most_strips(int first, int end) const {
    const int end_layer = cuts_.layer(end);
    const int paced = end_layer - (cuts_.sums(cuts_.layer(first), end_layer) ? 2 : 1);
    return std::min(limits_.most_strips, cuts_.taps().taps(Axis::kCols, paced).output);
  }

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
      for (int first = end - 1; first >= cuts_.first_cut(end); --first) {
        const Label& from = labels_[at(first)];
        const int least_strips = in_strips ? 2 : 1;
        if (from.cost == kUnreached || !cuts_.may_be_segment(first, end) ||
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
            label.bytes = std::max(label.bytes, segment_bytes(first, end, strips, most_bytes));
            consider(label);
          }
        }
      }
    }
  }

  [[nodiscard]] std::int64_t segment_macs(int first, int end, int strips) {
    const std::vector<std::int64_t>& before = axes_.columns(end, strips).macs_before;
    return before[at(cuts_.layer(end))] - before[at(cuts_.layer(first))];
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
    const SegmentRows& rows = axes_.rows(first, end);
    const SegmentColumns& columns = axes_.columns(end, strips);
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
          .slides = !is_whole && !is_summed};
      cost += costs_->layer(l, rows.at(l).cut, reads_whole ? c.cut_of_outside : c.cut, place);
    }
    if (bytes_.is_window_of_image(first_layer, end_layer) && rows.keeps_image) {
      cost += costs_->moves(cuts_.network().input.channels, rows.image_cut, columns.image_cut);
    }
    return cost;
  }

  std::int64_t segment_bytes(int first, int end, int strips, std::int64_t most_bytes) {
    return bytes_.bytes(axes_.rows(first, end), axes_.columns(end, strips), first, end, strips,
                        most_bytes);
  }

  // In a single piece a segment is none, but may leave out what nothing reads: which only counts of
  // multiply-accumulates see, while what is measured around calls differs by a little.
  [[nodiscard]] bool is_whole(int first, int end, int strips) {
    const int first_layer = cuts_.layer(first);
    const int end_layer = cuts_.layer(end);
    return strips == 1 && (costs_ != nullptr || end_layer == first_layer + 1) &&
           axes_.rows(first, end).at(end_layer - 1).steps == 1;
  }

  [[nodiscard]] std::int64_t segment_calls(int first, int end, int strips) {
    const int first_layer = cuts_.layer(first);
    const int end_layer = cuts_.layer(end);
    const int steps = axes_.rows(first, end).at(end_layer - 1).steps;
    return std::int64_t{steps} * strips * (end_layer - first_layer);
  }

  // Of one strip: a step adds one row to what the first layer computes.
  [[nodiscard]] std::int64_t least_calls(int first, int end) const {
    const int first_layer = cuts_.layer(first);
    return std::int64_t{cuts_.network().shape(first_layer + 1).height} *
           (cuts_.layer(end) - first_layer);
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
