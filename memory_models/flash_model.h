#pragma once

// Constant data of an int8 network.

#include <compare>
#include <cstdint>

#include "arch/network.h"

namespace patchnas {

struct FlashReport {
  std::int64_t weights_bytes = 0;         ///< int8
  std::int64_t biases_bytes = 0;          ///< int32 per output channel
  std::int64_t requantisation_bytes = 0;  ///< int32 multiplier and int8 shift per output channel
  [[nodiscard]] std::int64_t total_bytes() const {
    return weights_bytes + biases_bytes + requantisation_bytes;
  }
  auto operator<=>(const FlashReport&) const = default;
};

/// Weights and tables only; the kernels' code is not counted.
FlashReport flash_report(const Network& network);

}  // namespace patchnas
