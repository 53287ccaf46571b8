#pragma once

// What one network costs under one schedule, by every model.
//
//   const NetworkEstimate estimate(network, PatchSchedule::leading({4, 4}, 16),
//                                  target, latency_model);
//   std::cout << estimate.table();

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "arch/network.h"
#include "arch/patch_schedule.h"
#include "latency_models/latency_models.h"
#include "memory_models/memory_models.h"
#include "search/engine/target.h"

namespace patchnas {

struct NetworkEstimate {
  /// @param latency_model null where nothing was measured
  /// @throws InputError if the schedule does not fit the network.
  NetworkEstimate(Network network, PatchSchedule schedule, const Target& target,
                  const LatencyModel* latency_model);

  Network network;
  PatchSchedule schedule;
  Target target;                         ///< its limits are not looked at
  std::vector<std::int64_t> layer_macs;  ///< under the schedule, halos included
  std::map<MemoryModel, MemoryReport> memory;
  FlashReport flash;
  std::vector<std::int64_t> layer_flash_bytes;  ///< without what layers share
  std::optional<LatencyReport> latency;
  std::string latency_unit;

  [[nodiscard]] std::int64_t macs() const;
  /// Keys: macs, macs_layer_by_layer, macs_unclipped, params, flash_bytes, flash (its items), core,
  /// input, peak_sram_bytes (by model), latency, schedule, layers.
  [[nodiscard]] nlohmann::ordered_json json() const;
  /// Layer by layer and in sum, for people.
  [[nodiscard]] std::string table() const;
};

/// {"patches_h":4,"patches_w":4,"split_layer":16,"split_block":5}; without split_block where the
/// patch stage does not end with a block, and for layer-by-layer execution.
nlohmann::ordered_json schedule_json(const Network& network, const PatchSchedule& schedule);
/// {"total":81234,"weights":70000,...}, bytes.
nlohmann::ordered_json flash_json(const FlashReport& flash);
/// "3 x 3 patches over the stem and the first 2 blocks (7 of 20 layers)" or "layer by layer".
std::string describe(const Network& network, const PatchSchedule& schedule);

}  // namespace patchnas
