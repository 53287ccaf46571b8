#pragma once

// Latency of one network under many patch schedules of MCUNetV2's form: what a search asks for each
// candidate.
//
//   ScheduleLatency latency(model);
//   latency.assign(network);
//   for (const ScheduleCosts& costs : sweep.run(network))
//     rank(latency.total(costs.grid, costs.split_layer));
//
// The numbers are those of latency_report(). The layers behind the patch stage cost the same under
// every schedule and are added up once; costs of operators are kept in tables of small integers, so
// that tiles are looked up without comparing keys. Keeps its memory: one thread at a time.

#include <array>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "latency_models/latency_models.h"

namespace patchnas {

class ScheduleLatency {
 public:
  /// `model` must outlive it.
  explicit ScheduleLatency(const LatencyModel& model) : model_(model) {}

  /// `network` must be valid and stay as it is.
  /// @throws InputError for grouped convolutions, which no kernel executes.
  void assign(const Network& network);

  /// Of the network last assigned; {1, 1} or 0 layers for layer-by-layer execution.
  double total(TileGrid grid, int split_layer);

  [[nodiscard]] const LatencyModel& model() const { return model_; }

 private:
  /// Costs of one family by a number that stands for the tile: open addressing, a power of two of
  /// slots, key 0 for an empty one.
  struct Costs {
    std::vector<std::pair<std::uint64_t, double>> slots;
    std::size_t used = 0;
  };

  double cost(const OperatorKey& key, Costs& costs) const;
  double cost_of(int layer, const LayerOperators& operators);

  const LatencyModel& model_;
  const Network* network_ = nullptr;
  OperatorLister lister_;
  LayerOperators operators_;
  SegmentGeometry geometry_;
  std::vector<double> from_layer_;  // whole layers from this one on
  std::map<OperatorFamily, Costs> costs_;
  std::vector<std::array<Costs*, 2>> of_layer_;  // not in place, in place; null until it is needed
};

}  // namespace patchnas
