#pragma once

// Exponentials in fixed point: the algorithms and constants of gemmlowp's fixedpoint.h
// (Apache-2.0), which TensorFlow Lite's reference kernels are defined by. A number with i integer
// bits has 31 - i fraction bits in an int32.

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "arch/fixed_point.h"

namespace patchnas {

/// 1 with no integer bits, saturated.
inline constexpr std::int32_t kFixedOne = std::numeric_limits<std::int32_t>::max();

inline std::int32_t saturating_shift_left(std::int32_t x, int exponent) {
  const std::int64_t shifted = std::int64_t{x} * (std::int64_t{1} << exponent);
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(
      shifted, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()));
}

/// exp(a) for a in [-1/4, 0), no integer bits: Taylor series of fourth order around -1/8.
inline std::int32_t exp_of_quarter(std::int32_t a) {
  constexpr std::int32_t kExpOfMinusEighth = 1895147668;
  constexpr std::int32_t kThird = 715827883;
  const std::int32_t x = a + (1 << 28);
  const std::int32_t x2 = doubling_high_multiply(x, x);
  const std::int32_t x3 = doubling_high_multiply(x2, x);
  const std::int32_t x4 = doubling_high_multiply(x2, x2);
  const std::int32_t third_and_fourth =
      doubling_high_multiply(rounding_shift_right(x4, 2) + x3, kThird);
  const std::int32_t higher = rounding_shift_right(third_and_fourth + x2, 1);
  return kExpOfMinusEighth + doubling_high_multiply(kExpOfMinusEighth, x + higher);
}

/// exp(a) for a <= 0 with `integer_bits`, up to 5; the result has none.
inline std::int32_t exp_of_negative(std::int32_t a, int integer_bits) {
  const std::int32_t quarter = 1 << (31 - integer_bits - 2);
  // exp(-2^k) for k = -2 ... 4
  constexpr std::array<std::int32_t, 7> kFactors{1672461947, 1302514674, 790015084, 290630308,
                                                 39332535,   720401,     242};
  if (a == 0) {
    return kFixedOne;
  }
  const std::int32_t fraction = (a & (quarter - 1)) - quarter;
  const std::int32_t quarters = fraction - a;
  std::int32_t result = exp_of_quarter(saturating_shift_left(fraction, integer_bits));
  for (int k = 0; k < integer_bits + 2; ++k) {
    if ((quarters & (quarter << k)) != 0) {
      result = doubling_high_multiply(result, kFactors[static_cast<std::size_t>(k)]);
    }
  }
  return result;
}

/// 2 / (1 + a) for a in [0, 1), no integer bits; the result has two: Newton-Raphson division.
inline std::int32_t twice_reciprocal_of_one_plus(std::int32_t a) {
  constexpr std::int32_t k48Over17 = 1515870810;
  constexpr std::int32_t kMinus32Over17 = -1010580540;
  constexpr std::int32_t kOneWithTwoBits = 1 << 29;
  const auto half_denominator = static_cast<std::int32_t>((std::int64_t{a} + kFixedOne + 1) / 2);
  std::int32_t x = k48Over17 + doubling_high_multiply(half_denominator, kMinus32Over17);
  for (int i = 0; i < 3; ++i) {
    const std::int32_t error = kOneWithTwoBits - doubling_high_multiply(half_denominator, x);
    x += saturating_shift_left(doubling_high_multiply(x, error), 2);
  }
  return x;
}

/// 1 / (1 + a) for a in [0, 1); neither has integer bits.
inline std::int32_t reciprocal_of_one_plus(std::int32_t a) {
  return saturating_shift_left(twice_reciprocal_of_one_plus(a), 1);
}

/// (1 - a) / (1 + a) for a in [0, 1); neither has integer bits.
inline std::int32_t one_minus_over_one_plus(std::int32_t a) {
  return saturating_shift_left(twice_reciprocal_of_one_plus(a) - (1 << 29), 2);
}

/// 1 / (1 + exp(-a)) and tanh(a), of a number with `integer_bits`, up to 4; the results have none.
inline std::int32_t fixed_logistic(std::int32_t a, int integer_bits) {
  if (a == 0) {
    return 1 << 30;
  }
  const std::int32_t positive =
      reciprocal_of_one_plus(exp_of_negative(a > 0 ? -a : a, integer_bits));
  return a > 0 ? positive : kFixedOne - positive;
}
inline std::int32_t fixed_tanh(std::int32_t a, int integer_bits) {
  if (a == 0) {
    return 0;
  }
  const std::int32_t positive =
      one_minus_over_one_plus(exp_of_negative(a > 0 ? -a : a, integer_bits + 1));
  return a > 0 ? positive : -positive;
}

}  // namespace patchnas
