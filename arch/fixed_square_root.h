#pragma once

// Reciprocal square roots in fixed point, as TensorFlow Lite's reference kernels define them with
// gemmlowp's fixed-point numbers.

#include <bit>
#include <cstdint>
#include <limits>

#include "arch/fixed_exponential.h"
#include "arch/fixed_point.h"
#include "arch/quantized_network.h"

namespace patchnas {

/// 1 / sqrt(x) for x in [1, 2^27): five Newton-Raphson steps from 1 on x brought to [1/4, 1) by a
/// power of 4. Numbers have three integer bits.
inline Requantisation reciprocal_square_root_of(std::int32_t x) {
  constexpr std::int32_t kOne = 1 << 28;
  constexpr std::int32_t kHalfOfThree = kOne + kOne / 2;
  constexpr std::int32_t kHalfOfRootOfTwo = 1518500250;  // no integer bits
  if (x == 1) {
    return {.multiplier = std::numeric_limits<std::int32_t>::max(), .shift = 0};
  }
  const int pairs = (std::countl_zero(static_cast<std::uint32_t>(x)) - 1) / 2 - 1;
  const std::int32_t half = rounding_shift_right((x << (2 * pairs)) >> 1, 1);
  std::int32_t y = kOne;
  for (int i = 0; i < 5; ++i) {
    const std::int32_t cube =
        saturating_shift_left(doubling_high_multiply(doubling_high_multiply(y, y), y), 6);
    y = saturating_shift_left(
        doubling_high_multiply(kHalfOfThree, y) - doubling_high_multiply(half, cube), 3);
  }
  y = doubling_high_multiply(y, kHalfOfRootOfTwo);
  const int shift = pairs - 11;
  return shift > 0 ? Requantisation{.multiplier = wrapping_shift_left(y, shift), .shift = 0}
                   : Requantisation{.multiplier = y, .shift = shift};
}

}  // namespace patchnas
