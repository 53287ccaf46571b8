// Softmax in fixed point.

#include <algorithm>
#include <bit>

#include "arch/fixed_exponential.h"
#include "deploy/reference/reference_kernels.h"

namespace patchnas {
namespace {

constexpr int kDifferenceBits = 5;  // integer bits of the differences
constexpr int kSumBits = 12;        // integer bits of the sum of exponentials

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
    return exp_of_negative(doubling_high_multiply(shifted, arithmetic.difference.multiplier),
                           kDifferenceBits);
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
