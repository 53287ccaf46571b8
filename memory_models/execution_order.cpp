#include "memory_models/execution_order.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <queue>
#include <set>
#include <tuple>

#include "arch/layer_order.h"
#include "arch/shareable_bytes.h"
#include "memory_models/arena_plan.h"

namespace patchnas {
namespace {

using LayerSet = std::vector<bool>;

// What a layer costs where some others are done.
struct LayerCost {
  std::int64_t peak_bytes = 0;   // while it is computed
  std::int64_t after_bytes = 0;  // when it is
};

class LiveBytes {
 public:
  explicit LiveBytes(const Network& network)
      : network_(network),
        plan_(network, PatchSchedule::layer_by_layer(), InputMode::kResident),
        readers_(static_cast<std::size_t>(network.tensor_count())),
        is_output_(readers_.size()) {
    const NetworkTaps taps(network);
    for (const TensorId output : network.output_tensors()) {
      is_output_[static_cast<std::size_t>(output)] = true;
    }
    for (int i = 0; i < network.layer_count(); ++i) {
      auto& shareable = shareable_.emplace_back();
      if (is_input(i)) {
        continue;
      }
      for (int j = 0; j < layer(i).input_count(); ++j) {
        const auto at = static_cast<std::size_t>(j);
        readers_[static_cast<std::size_t>(layer(i).inputs[at])].push_back(i);
        shareable[at] = shareable_bytes(network, taps, i, j);
      }
    }
  }

  [[nodiscard]] const Layer& layer(int i) const {
    return network_.layers[static_cast<std::size_t>(i)];
  }
  [[nodiscard]] bool is_input(int i) const { return layer(i).kind == LayerKind::kInput; }
  [[nodiscard]] bool is_ready(const LayerSet& done, int i) const {
    const auto is_there = [&](TensorId tensor) {
      return tensor <= kImage || done[static_cast<std::size_t>(tensor) - 1];
    };
    return !done[static_cast<std::size_t>(i)] && is_there(layer(i).inputs[0]) &&
           is_there(layer(i).inputs[1]);
  }

  /// Of what is computed and still read.
  [[nodiscard]] std::int64_t of(const LayerSet& done) const {
    std::int64_t bytes = 0;
    for (TensorId tensor = 0; tensor < network_.tensor_count(); ++tensor) {
      const bool is_there = tensor == kImage || done[static_cast<std::size_t>(tensor) - 1];
      bytes += is_there && is_kept(done, tensor, -1) ? bytes_of(tensor) : 0;
    }
    return bytes;
  }

  [[nodiscard]] LayerCost cost(const LayerSet& done, std::int64_t live, int i) const {
    std::int64_t dying = 0;
    std::int64_t shared = 0;
    for (int j = 0; j < layer(i).input_count(); ++j) {
      const auto at = static_cast<std::size_t>(j);
      const TensorId input = layer(i).inputs[at];
      if (!is_kept(done, input, i) && (j == 0 || input != layer(i).inputs[0])) {
        dying += bytes_of(input);
        shared = std::max(shared, shareable_[static_cast<std::size_t>(i)][at]);
      }
    }
    const std::int64_t output = bytes_of(i + 1);
    return {.peak_bytes = live + output - shared + aligned(plan_.step(i).scratch_bytes),
            .after_bytes = live + output - dying};
  }

 private:
  [[nodiscard]] std::int64_t bytes_of(TensorId tensor) const {
    return aligned(network_.shape(tensor).elements());
  }
  // Whether anything reads it that is not done, nor `besides`.
  [[nodiscard]] bool is_kept(const LayerSet& done, TensorId tensor, int besides) const {
    const auto at = static_cast<std::size_t>(tensor);
    return is_output_[at] || std::any_of(readers_[at].begin(), readers_[at].end(), [&](int reader) {
             return reader != besides && !done[static_cast<std::size_t>(reader)];
           });
  }

  const Network& network_;
  ExecutionPlan plan_;
  std::vector<std::vector<int>> readers_;  // by tensor
  std::vector<bool> is_output_;            // by tensor
  std::vector<std::array<std::int64_t, 2>> shareable_;
};

// Layers in the order in which they are done, and what that took.
struct Progress {
  LayerSet done;
  std::vector<int> order;
  std::int64_t live_bytes = 0;
  std::int64_t peak_bytes = 0;

  void add(int layer, const LayerCost& cost) {
    done[static_cast<std::size_t>(layer)] = true;
    order.push_back(layer);
    live_bytes = cost.after_bytes;
    peak_bytes = std::max(peak_bytes, cost.peak_bytes);
  }
};

class OrderSearch {
 public:
  explicit OrderSearch(const Network& network) : live_(network), layers_(network.layer_count()) {}

  ExecutionOrder search() const {
    // By peak; of equal ones the one that has come furthest, then the first.
    using Entry = std::tuple<std::int64_t, int, int>;
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue;
    std::vector<Progress> states;
    std::set<LayerSet> known;
    const auto push = [&](Progress progress) {
      take_what_costs_nothing(progress);
      queue.emplace(progress.peak_bytes, layers_ - static_cast<int>(progress.order.size()),
                    static_cast<int>(states.size()));
      states.push_back(std::move(progress));
    };
    push(beginning());
    while (static_cast<int>(states.size()) <= kMostOrderLayers / layers_) {
      const auto [peak, rest, index] = queue.top();
      queue.pop();
      const Progress state = std::move(states[static_cast<std::size_t>(index)]);
      if (!known.insert(state.done).second) {
        continue;
      }
      if (rest == 0) {
        return {.layers = state.order, .is_least = true};
      }
      for (const auto& [cost, layer] : ready(state)) {
        Progress next = state;
        next.add(layer, cost);
        push(std::move(next));
      }
    }
    return {.layers = greedy(), .is_least = false};
  }

 private:
  struct Candidate {
    LayerCost cost;
    int layer = 0;
  };

  [[nodiscard]] Progress beginning() const {
    Progress progress{.done = LayerSet(static_cast<std::size_t>(layers_)), .order = {}};
    for (int i = 0; i < layers_ && live_.is_input(i); ++i) {
      progress.done[static_cast<std::size_t>(i)] = true;
      progress.order.push_back(i);
    }
    progress.live_bytes = progress.peak_bytes = live_.of(progress.done);
    return progress;
  }

  [[nodiscard]] std::vector<Candidate> ready(const Progress& progress) const {
    std::vector<Candidate> candidates;
    for (int i = 0; i < layers_; ++i) {
      if (live_.is_ready(progress.done, i)) {
        candidates.push_back({live_.cost(progress.done, progress.live_bytes, i), i});
      }
    }
    return candidates;
  }

  // No later layer is worse off for it: fewer bytes are live, and more inputs have one reader less.
  void take_what_costs_nothing(Progress& progress) const {
    for (bool found = true; found;) {
      const std::vector<Candidate> candidates = ready(progress);
      const auto free =
          std::find_if(candidates.begin(), candidates.end(), [&](const Candidate& candidate) {
            return candidates.size() == 1 || (candidate.cost.peak_bytes <= progress.peak_bytes &&
                                              candidate.cost.after_bytes <= progress.live_bytes);
          });
      found = free != candidates.end();
      if (found) {
        progress.add(free->layer, free->cost);
      }
    }
  }

  [[nodiscard]] std::vector<int> greedy() const {
    Progress progress = beginning();
    take_what_costs_nothing(progress);
    while (static_cast<int>(progress.order.size()) < layers_) {
      const std::vector<Candidate> candidates = ready(progress);
      const auto least = std::min_element(
          candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
            return std::pair(a.cost.peak_bytes, a.cost.after_bytes) <
                   std::pair(b.cost.peak_bytes, b.cost.after_bytes);
          });
      progress.add(least->layer, least->cost);
      take_what_costs_nothing(progress);
    }
    return progress.order;
  }

  LiveBytes live_;
  int layers_;
};

std::int64_t arena_bytes(const Network& network) {
  return plan_arena(ExecutionPlan(network, PatchSchedule::layer_by_layer(), InputMode::kResident))
      .arena_bytes;
}

}  // namespace

ExecutionOrder least_memory_order(const Network& network) {
  ExecutionOrder found = OrderSearch(network).search();
  std::vector<int> as_it_is(static_cast<std::size_t>(network.layer_count()));
  std::iota(as_it_is.begin(), as_it_is.end(), 0);
  if (found.layers != as_it_is &&
      arena_bytes(reordered(network, found.layers)) >= arena_bytes(network)) {
    found.layers = std::move(as_it_is);
  }
  return found;
}

}  // namespace patchnas
