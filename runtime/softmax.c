/* Softmax in fixed point, the algorithm and constants of gemmlowp's fixedpoint.h (Apache-2.0),
 * which TensorFlow Lite's reference kernel is defined by. A number with i integer bits has 31 - i
 * fraction bits in an int32. */
#include "runtime/arithmetic.h"

#define DIFFERENCE_BITS 5 /* integer bits of the differences */
#define SUM_BITS 12       /* integer bits of the sum of exponentials */

static int32_t saturating_shift_left(int32_t x, int32_t exponent) {
  const int64_t shifted = (int64_t)x * ((int64_t)1 << exponent);
  return (int32_t)(shifted < INT32_MIN ? INT32_MIN : shifted > INT32_MAX ? INT32_MAX : shifted);
}

/* exp(a) for a in [-1/4, 0), no integer bits: Taylor series of fourth order around -1/8. */
static int32_t exp_of_quarter(int32_t a) {
  const int32_t exp_of_minus_eighth = 1895147668;
  const int32_t third = 715827883;
  const int32_t x = a + (1 << 28);
  const int32_t x2 = patchnas_doubling_high_multiply(x, x);
  const int32_t x3 = patchnas_doubling_high_multiply(x2, x);
  const int32_t x4 = patchnas_doubling_high_multiply(x2, x2);
  const int32_t third_and_fourth =
      patchnas_doubling_high_multiply(patchnas_rounding_shift_right(x4, 2) + x3, third);
  const int32_t higher = patchnas_rounding_shift_right(third_and_fourth + x2, 1);
  return exp_of_minus_eighth + patchnas_doubling_high_multiply(exp_of_minus_eighth, x + higher);
}

/* exp(a) for a <= 0 with DIFFERENCE_BITS integer bits; the result has none. */
static int32_t exp_of_negative(int32_t a) {
  const int32_t quarter = 1 << (31 - DIFFERENCE_BITS - 2);
  /* exp(-2^k) for k = -2 ... 4 */
  static const int32_t factors[7] = {1672461947, 1302514674, 790015084, 290630308,
                                     39332535,   720401,     242};
  if (a == 0) {
    return INT32_MAX; /* 1, saturated */
  }
  const int32_t fraction = (a & (quarter - 1)) - quarter;
  const int32_t quarters = fraction - a;
  int32_t result = exp_of_quarter(saturating_shift_left(fraction, DIFFERENCE_BITS));
  for (int k = 0; k < 7; ++k) {
    if (quarters & (quarter << k)) {
      result = patchnas_doubling_high_multiply(result, factors[k]);
    }
  }
  return result;
}

/* 1 / (1 + a) for a in [0, 1), no integer bits: Newton-Raphson division with two integer bits. */
static int32_t reciprocal_of_one_plus(int32_t a) {
  const int32_t half_denominator = (int32_t)(((int64_t)a + INT32_MAX + 1) / 2);
  /* 48/17 - 32/17 * half_denominator is the first guess. */
  int32_t x = 1515870810 + patchnas_doubling_high_multiply(half_denominator, -1010580540);
  for (int i = 0; i < 3; ++i) {
    const int32_t error = (1 << 29) - patchnas_doubling_high_multiply(half_denominator, x);
    x += saturating_shift_left(patchnas_doubling_high_multiply(x, error), 2);
  }
  return saturating_shift_left(x, 1);
}

static int32_t leading_zeros(uint32_t x) {
  int32_t count = 0;
  for (; count < 32 && !(x >> 31); ++count) {
    x <<= 1;
  }
  return count;
}

static void softmax_of_pixel(int32_t multiplier, int32_t shift, int32_t smallest, const int8_t* in,
                             int8_t* out, int32_t channels) {
  int32_t largest = INT8_MIN;
  for (int32_t i = 0; i < channels; ++i) {
    largest = in[i] > largest ? in[i] : largest;
  }
  int32_t sum = 0;
  for (int32_t i = 0; i < channels; ++i) {
    const int32_t difference = in[i] - largest;
    if (difference >= smallest) {
      const int32_t scaled =
          patchnas_doubling_high_multiply((int32_t)((uint32_t)difference << shift), multiplier);
      sum += patchnas_rounding_shift_right(exp_of_negative(scaled), SUM_BITS);
    }
  }
  const int32_t headroom = leading_zeros((uint32_t)sum);
  const int32_t reciprocal =
      reciprocal_of_one_plus((int32_t)(((uint32_t)sum << headroom) - ((uint32_t)1 << 31)));
  const int32_t right = SUM_BITS - headroom + 31 - 8;
  for (int32_t i = 0; i < channels; ++i) {
    const int32_t difference = in[i] - largest;
    int32_t result = 0;
    if (difference >= smallest && right <= 31) {
      const int32_t scaled =
          patchnas_doubling_high_multiply((int32_t)((uint32_t)difference << shift), multiplier);
      result = patchnas_rounding_shift_right(
          patchnas_doubling_high_multiply(reciprocal, exp_of_negative(scaled)), right);
    }
    out[i] = patchnas_clamp(result - 128, INT8_MIN, INT8_MAX);
  }
}

void patchnas_softmax(int32_t difference_multiplier, int32_t difference_shift,
                      int32_t smallest_difference, const int8_t* input, int8_t* output,
                      int32_t pixels, int32_t channels) {
  for (int32_t i = 0; i < pixels; ++i) {
    softmax_of_pixel(difference_multiplier, difference_shift, smallest_difference, input, output,
                     channels);
    input += channels;
    output += channels;
  }
}
