// Softmax in fixed point, the algorithm and constants of gemmlowp's fixedpoint.h (Apache-2.0),
// which TensorFlow Lite's reference kernel is defined by. A number with i integer bits has 31 - i
// fraction bits in an int32.

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "arch/fixed_point.h"
#include "deploy/reference/reference_kernels.h"

namespace patchnas {
namespace {

constexpr std::int32_t kOne =
    std::numeric_limits<std::int32_t>::max();  // 1 with no integer bits, saturated
constexpr int kDifferenceBits = 5;             // integer bits of the differences
constexpr int kSumBits = 12;                   // integer bits of the sum of exponentials

std::int32_t saturating_shift_left(std::int32_t x, int exponent) {
  const std::int64_t shifted = std::int64_t{x} * (std::int64_t{1} << exponent);
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(
      shifted, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()));
}

// exp(a) for a in [-1/4, 0), no integer bits: Taylor series of fourth order around -1/8.
std::int32_t exp_of_quarter(std::int32_t a) {
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

// exp(a) for a <= 0 with kDifferenceBits integer bits; the result has none.
std::int32_t exp_of_negative(std::int32_t a) {
  constexpr int kFractionBits = 31 - kDifferenceBits;
  constexpr std::int32_t kQuarter = 1 << (kFractionBits - 2);
  // exp(-2^k) for k = -2 ... 4
  constexpr std::array<std::int32_t, 7> kFactors{1672461947, 1302514674, 790015084, 290630308,
                                                 39332535,   720401,     242};
  if (a == 0) {
    return kOne;
  }
  const std::int32_t fraction = (a & (kQuarter - 1)) - kQuarter;
  const std::int32_t quarters = fraction - a;
  std::int32_t result = exp_of_quarter(saturating_shift_left(fraction, kDifferenceBits));
  for (std::size_t k = 0; k < kFactors.size(); ++k) {
    if ((quarters & (kQuarter << k)) != 0) {
      result = doubling_high_multiply(result, kFactors[k]);
    }
  }
  return result;
}

// 1 / (1 + a) for a in [0, 1), no integer bits: Newton-Raphson division with two integer bits.
std::int32_t reciprocal_of_one_plus(std::int32_t a) {
  constexpr std::int32_t k48Over17 = 1515870810;
  constexpr std::int32_t kMinus32Over17 = -1010580540;
  constexpr std::int32_t kOneWithTwoBits = 1 << 29;
  const auto half_denominator = static_cast<std::int32_t>((std::int64_t{a} + kOne + 1) / 2);
  std::int32_t x = k48Over17 + doubling_high_multiply(half_denominator, kMinus32Over17);
  for (int i = 0; i < 3; ++i) {
    const std::int32_t error = kOneWithTwoBits - doubling_high_multiply(half_denominator, x);
    x += saturating_shift_left(doubling_high_multiply(x, error), 2);
  }
  return saturating_shift_left(x, 1);
}

struct Reciprocal {
  std::int32_t value;  ///< no integer bits, to be divided by 2^bits_over_unit
  int bits_over_unit;
};

Reciprocal reciprocal_of_sum(std::int32_t sum) {
  const auto bits = static_cast<std::uint32_t>(sum);
  const int headroom = std::countl_zero(bits);
  const auto fraction = static_cast<std::int32_t>((bits << headroom) - (std::uint32_t{1} << 31));
  return {reciprocal_of_one_plus(fraction), kSumBits - headroom};
}

void softmax_of_row(const SoftmaxArithmetic& arithmetic, std::span<const std::int8_t> in,
                    std::span<std::int8_t> out) {
  const std::int32_t largest = *std::max_element(in.begin(), in.end());
  const auto exponential = [&](std::int32_t difference) {
    const std::int32_t shifted = wrapping_shift_left(difference, arithmetic.difference.shift);
    return exp_of_negative(doubling_high_multiply(shifted, arithmetic.difference.multiplier));
  };
  std::int32_t sum = 0;
  for (const std::int8_t value : in) {
    if (value - largest >= arithmetic.smallest_difference) {
      sum += rounding_shift_right(exponential(value - largest), kSumBits);
    }
  }
  const Reciprocal reciprocal = reciprocal_of_sum(sum);
  for (std::size_t i = 0; i < in.size(); ++i) {
    const std::int32_t difference = in[i] - largest;
    std::int32_t result = 0;
    if (difference >= arithmetic.smallest_difference) {
      result =
          rounding_shift_right(doubling_high_multiply(reciprocal.value, exponential(difference)),
                               reciprocal.bits_over_unit + 31 - 8);
    }
    out[i] = static_cast<std::int8_t>(std::clamp(result - 128, -128, 127));
  }
}

}  // namespace

void softmax(const LayerContext& context, const InputWindow& input, const OutputWindow& output,
             const Rect& computed) {
  const auto channels = static_cast<std::size_t>(output.shape.channels);
  for (int row = computed.rows.begin; row < computed.rows.end; ++row) {
    for (int col = computed.cols.begin; col < computed.cols.end; ++col) {
      softmax_of_row(context.quantised.softmax, {input.pixel(row, col), channels},
                     {output.pixel(row, col), channels});
    }
  }
}

}  // namespace patchnas
