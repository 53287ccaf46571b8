#include "latency_models/schedule_latency.h"

#include <algorithm>

namespace patchnas {
namespace {

// A number for the tile, never 0; 0 if its extents are too large to be packed.
std::uint64_t packed(const OperatorKey& key) {
  std::uint64_t number = 1;
  bool fits = true;
  const auto push = [&](int value, int bits) {
    fits = fits && value < 1 << bits;
    number = number << bits | static_cast<std::uint64_t>(value);
  };
  push(key.rows.output, 9);
  push(key.rows.input, 9);
  push(key.rows.pad, 4);
  push(key.cols.output, 18);
  push(key.cols.input, 18);
  push(key.cols.pad, 4);
  return fits ? number : 0;
}

std::size_t slot_of(std::uint64_t number, std::size_t slots) {
  return static_cast<std::size_t>((number * 0x9e3779b97f4a7c15u) >> 32) & (slots - 1);
}

}  // namespace

double ScheduleLatency::cost(const OperatorKey& key, Costs& costs) const {
  const std::uint64_t number = packed(key);
  if (number == 0) {
    return model_.cost(key).cost;
  }
  if (costs.used * 2 >= costs.slots.size()) {
    std::vector<std::pair<std::uint64_t, double>> larger(
        std::max<std::size_t>(16, 2 * costs.slots.size()));
    for (const auto& entry : costs.slots) {
      if (entry.first != 0) {
        std::size_t at = slot_of(entry.first, larger.size());
        while (larger[at].first != 0) {
          at = (at + 1) & (larger.size() - 1);
        }
        larger[at] = entry;
      }
    }
    costs.slots = std::move(larger);
  }
  std::size_t at = slot_of(number, costs.slots.size());
  while (costs.slots[at].first != 0) {
    if (costs.slots[at].first == number) {
      return costs.slots[at].second;
    }
    at = (at + 1) & (costs.slots.size() - 1);
  }
  const double cost = model_.cost(key).cost;
  costs.slots[at] = {number, cost};
  ++costs.used;
  return cost;
}

double ScheduleLatency::cost_of(int layer, const LayerOperators& operators) {
  const bool in_place = operators.family.kernel == KernelFunction::kDepthwiseInPlace;
  Costs*& known = of_layer_[static_cast<std::size_t>(layer)][in_place ? 1 : 0];
  if (known == nullptr) {
    known = &costs_[operators.family];
  }
  Costs& costs = *known;
  double sum = 0.0;
  for (const AxisUse& row : operators.rows) {
    for (const AxisUse& col : operators.cols) {
      sum += static_cast<double>(row.count * col.count) * cost(operators.key(row, col), costs);
    }
  }
  return sum;
}

void ScheduleLatency::assign(const Network& network) {
  network_ = &network;
  lister_.assign(network);
  const int layers = network.layer_count();
  of_layer_.assign(static_cast<std::size_t>(layers), {nullptr, nullptr});
  from_layer_.assign(static_cast<std::size_t>(layers) + 1, 0.0);
  for (int layer = layers; layer-- > 0;) {
    lister_.list(layer, operators_);
    from_layer_[static_cast<std::size_t>(layer)] =
        from_layer_[static_cast<std::size_t>(layer) + 1] + cost_of(layer, operators_) +
        model_.overheads().per_layer;
  }
}

double ScheduleLatency::total(TileGrid grid, int split_layer) {
  double sum = from_layer_[static_cast<std::size_t>(split_layer)];
  if (split_layer == 0) {
    return sum;
  }
  geometry_.assign(*network_, {.first_layer = 0, .end_layer = split_layer, .grid = grid});
  const LatencyOverheads& overheads = model_.overheads();
  double per_patch = overheads.per_patch;
  for (int layer = 0; layer < split_layer; ++layer) {
    if (geometry_.computed_pixels(layer) > 0) {
      lister_.list(layer, geometry_, operators_);
      sum += cost_of(layer, operators_);
      per_patch += overheads.per_patch_layer;
    }
  }
  return sum + per_patch * static_cast<double>(grid.rows) * static_cast<double>(grid.cols);
}

}  // namespace patchnas
