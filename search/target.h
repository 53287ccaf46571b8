#pragma once

// The microcontroller's limits.

#include <cstdint>
#include <limits>

#include "memory_models/memory_models.h"

namespace patchnas {

/// A limit that nothing exceeds.
inline constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

struct Target {
  std::int64_t sram_bytes = 0;
  std::int64_t flash_bytes = 0;
  MemoryModel memory_model = MemoryModel::kDeployed;  ///< whose peak SRAM is limited
  InputMode input = InputMode::kResident;
  Core core = Core::kCortexM4;  ///< whose kernels' code counts as flash
  bool operator==(const Target&) const = default;
};

}  // namespace patchnas
