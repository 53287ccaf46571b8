#pragma once

// The microcontroller's limits.

#include <cstdint>
#include <limits>
#include <string>

#include "memory_models/memory_models.h"

namespace patchnas {

/// A limit that nothing exceeds.
inline constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

struct Target {
  std::int64_t sram_bytes = 0;
  std::int64_t flash_bytes = 0;
  MemoryModel memory_model = MemoryModel::kDeployed;  ///< whose peak SRAM is limited
  InputMode input = InputMode::kResident;
  Core core = Core::kCortexM4;       ///< whose kernels' code counts as flash
  std::int64_t max_macs = kNoLimit;  ///< of one inference under its schedule, halos included
  double latency = std::numeric_limits<double>::infinity();  ///< in the unit of the latency table
  std::string latency_table{};  ///< a file, or the name of a shipped one; "" to rank by MACs
  // For milliseconds; 0 where the clock is not known.
  double clock_mhz = 0.0;
  double instructions_per_cycle = 1.0;
  bool operator==(const Target&) const = default;
};

/// Without any limit, for what is only estimated.
inline const Target kUnlimitedTarget{.sram_bytes = kNoLimit, .flash_bytes = kNoLimit};

inline bool has_limits(const Target& target) {
  return target.sram_bytes < kNoLimit || target.flash_bytes < kNoLimit ||
         target.max_macs < kNoLimit || target.latency < std::numeric_limits<double>::infinity();
}

}  // namespace patchnas
