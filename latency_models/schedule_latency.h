#pragma once

// Latency of one network under many patch schedules of MCUNetV2's form: what a search asks for each
// candidate.
//
//   ScheduleLatency latency(model);
//   latency.assign(network);
//   for (const ScheduleCosts& costs : sweep.run(network))
//     rank(latency.total(costs.grid, costs.split_layer));
//
// The numbers are those of latency_report(), but for rounding. The layers behind the patch stage
// cost the same under every schedule and are added up once. In the patch stage all tiles of a layer
// are one look-up, and layers whose tiles are those of the schedule asked for before keep their
// costs: fastest in the order of enumerate_schedules(). Keeps its memory: one thread at a time.

#include <array>
#include <cstdint>
#include <vector>

#include "latency_models/latency_models.h"
#include "latency_models/operator_costs.h"
#include "latency_models/word_map.h"

namespace patchnas {

class ScheduleLatency {
 public:
  /// `model` must outlive it.
  explicit ScheduleLatency(const LatencyModel& model) : model_(model), operator_costs_(model) {}

  /// `network` must be valid and stay as it is.
  void assign(const Network& network);

  /// Of the network last assigned; {1, 1} or 0 layers for layer-by-layer execution.
  double total(TileGrid grid, int split_layer);

  [[nodiscard]] const LatencyModel& model() const { return model_; }

 private:
  // What layers share that cost the same: family and extents. Costs are of the whole layer and, by
  // arrangement of tiles, of all tiles; NaN until they are asked for.
  struct Kind {
    std::uint32_t taps = 0;
    double whole = 0.0;
    std::vector<double> tiled;
  };

  std::uint32_t number_taps(int layer);
  std::uint32_t number_kind(int layer, const OperatorFamily& family, std::uint32_t taps);
  std::uint32_t number_arrangement(int layer, std::uint32_t taps);
  double cost_of_tiles(int layer);

  const LatencyModel& model_;
  OperatorLister lister_;
  LayerOperators operators_;
  std::vector<std::array<std::uint32_t, 2>> kinds_of_;  // by layer: apart, over its input
  std::vector<double> from_layer_;                      // whole layers from this one on

  SegmentGeometry geometry_;
  bool has_geometry_ = false;        // whether it is one of the network
  std::vector<double> up_to_layer_;  // of the geometry's layers before this one, in all tiles

  // Candidates' layers are of few taps, and these are cut into tiles in few ways. Numbering the
  // ways for each taps keeps the costs that one candidate needs side by side.
  WordMap<std::uint32_t> taps_;
  WordMap<std::uint32_t> arrangements_;
  std::vector<std::uint32_t> arrangement_counts_;  // by taps
  WordMap<std::uint32_t> kind_numbers_;
  std::vector<Kind> kinds_;
  OperatorCosts operator_costs_;
  std::vector<std::uint64_t> key_;
};

}  // namespace patchnas
