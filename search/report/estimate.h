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
#include "search/engine/candidate.h"
#include "search/engine/target.h"
#include "search/report/schedule_text.h"  // IWYU pragma: export

namespace patchnas {

struct NetworkEstimate {
  /// @param latency_model null where nothing was measured
  /// @throws InputError if the schedule does not fit the network.
  NetworkEstimate(Network network, PatchSchedule schedule, const Target& target,
                  const LatencyModel* latency_model);

  Network network;
  PatchSchedule schedule;
  Target target;
  std::vector<std::int64_t> layer_macs;  ///< under the schedule, halos included
  std::map<MemoryModel, MemoryReport> memory;
  FlashReport flash;
  std::vector<std::int64_t> layer_flash_bytes;  ///< without what layers share
  std::optional<LatencyReport> latency;
  std::string latency_unit;

  [[nodiscard]] std::int64_t macs() const;
  /// What the target's limits are compared with.
  [[nodiscard]] CandidateCosts costs() const;
  /// The part that the reports of all networks share (docs/reports.md); its last key is `layers`.
  [[nodiscard]] nlohmann::ordered_json json() const;
  /// Layer by layer and in sum, for people.
  [[nodiscard]] std::string table() const;
};

}  // namespace patchnas
