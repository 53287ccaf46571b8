#pragma once

// Integer arithmetic of TensorFlow Lite Micro's reference kernels. In their default form they
// requantise with two roundings, one in the doubling high multiply and one in the right shift;
// CMSIS-NN computes the same by default. Built with TFLITE_SINGLE_ROUNDING they round once.
// deploy/reference/litert_arithmetic.h has what XNNPACK does instead.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "arch/quantized_network.h"

namespace patchnas {

/// x * 2^exponent modulo 2^32: what the kernels' int32 shift does on two's complement machines.
inline std::int32_t wrapping_shift_left(std::int32_t x, int exponent) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(x) << exponent);
}

/// a + b modulo 2^32.
inline std::int32_t wrapping_add(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
}

/// round(a * b / 2^31), ties upwards. Not for a = b = -2^31, which multipliers never are.
inline std::int32_t doubling_high_multiply(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>((std::int64_t{a} * b + (std::int64_t{1} << 30)) >> 31);
}

/// round(x / 2^exponent), ties away from zero; exponent >= 0.
inline std::int32_t rounding_shift_right(std::int32_t x, int exponent) {
  if (exponent > 31) {
    return 0;
  }
  const auto mask = static_cast<std::int32_t>((std::int64_t{1} << exponent) - 1);
  const std::int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + ((x & mask) > threshold ? 1 : 0);
}

/// x * multiplier * 2^(shift - 31), rounded twice.
inline std::int32_t requantise(std::int32_t x, const Requantisation& by) {
  const int left = by.shift > 0 ? by.shift : 0;
  const int right = by.shift > 0 ? 0 : -by.shift;
  return rounding_shift_right(doubling_high_multiply(wrapping_shift_left(x, left), by.multiplier),
                              right);
}

/// round(x * multiplier * 2^(shift - 31)), ties upwards; shift in [-31, 30]. TensorFlow Lite's
/// kernels exclude results that int32 cannot hold, which shifts to the left may give; here results
/// end 2^30 away from 0, so that a zero point can be added.
inline std::int32_t requantise_rounding_once(std::int32_t x, const Requantisation& by) {
  constexpr std::int64_t kLargest = std::int64_t{1} << 30;
  const int right = 31 - by.shift;
  const std::int64_t scaled =
      (std::int64_t{x} * by.multiplier + (std::int64_t{1} << (right - 1))) >> right;
  return static_cast<std::int32_t>(std::clamp(scaled, -kLargest, kLargest));
}

/// The nearest multiplier and shift for a real factor, which weights with a negative scale make
/// negative; factors within 2^-32 of 0 become 0.
inline Requantisation quantise_multiplier(double factor) {
  if (factor == 0.0) {
    return {};
  }
  int shift = 0;
  auto mantissa = static_cast<std::int64_t>(std::round(std::frexp(factor, &shift) * 0x1p31));
  if (mantissa == std::int64_t{1} << 31) {
    mantissa /= 2;
    ++shift;
  }
  if (shift < -31) {
    return {};
  }
  return {.multiplier = static_cast<std::int32_t>(mantissa), .shift = shift};
}

/// Of a mean over `count` values whose scale is `factor` times that of the result: 1 / count is
/// folded into the multiplier, rounded down, and makes it as small as 2^29. `count` is in
/// [1, kMostMeanValues].
inline Requantisation quantise_mean(double factor, std::int64_t count) {
  const Requantisation scale = quantise_multiplier(factor);
  const int shift = std::min(
      static_cast<int>(std::bit_width(static_cast<std::uint64_t>(count))) - 1, 31 + scale.shift);
  return {
      .multiplier = static_cast<std::int32_t>((std::int64_t{scale.multiplier} << shift) / count),
      .shift = scale.shift - shift};
}

}  // namespace patchnas
