/* The DSP extension's instructions, and requantisation with few of them. Only where PATCHNAS_DSP is
 * defined. */
#ifndef PATCHNAS_RUNTIME_DSP_H
#define PATCHNAS_RUNTIME_DSP_H

#include <arm_acle.h>

#include "runtime/arithmetic.h"

#define PATCHNAS_ALWAYS_INLINE static inline __attribute__((always_inline))

/* Four bytes at any alignment. */
typedef struct __attribute__((packed, may_alias)) patchnas_unaligned_word {
  uint32_t value;
} patchnas_unaligned_word;

PATCHNAS_ALWAYS_INLINE uint32_t patchnas_load_word(const int8_t* from) {
  return ((const patchnas_unaligned_word*)from)->value;
}

/* Bytes 0 and 2, bytes 1 and 3, as pairs of int16. */
PATCHNAS_ALWAYS_INLINE int16x2_t patchnas_even_bytes(uint32_t word) {
  return __sxtb16((int8x4_t)word);
}
PATCHNAS_ALWAYS_INLINE int16x2_t patchnas_odd_bytes(uint32_t word) {
  int16x2_t pair; /* the intrinsics would rotate first, in an instruction of its own */
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
  return pair;
}

/* How one channel's accumulators, doubled, become outputs. With |accumulator| < 2^30 and
 * 1 <= right shift <= 21 both roundings and the zero point take three instructions:
 *
 *   high = (2 * accumulator * multiplier + 2^31) >> 32       doubling high multiply
 *   (high + half - (accumulator < 0)) >> right               half = 2^(right - 1)
 *
 * The zero point, shifted left, is added with `half`. The accumulator's sign stands for that of
 * `high`: they differ only where high = 0, which rounds to 0 either way. */
typedef struct patchnas_dsp_scale {
  int32_t multiplier;
  int32_t offset; /* half + (zero_point << right) */
  int32_t right_less_1;
} patchnas_dsp_scale;

#define PATCHNAS_DSP_LARGEST_RIGHT_SHIFT 21

PATCHNAS_ALWAYS_INLINE patchnas_dsp_scale patchnas_dsp_scale_of(const patchnas_weights* w,
                                                                int32_t channel) {
  const int32_t right_less_1 = ~(int32_t)w->shifts[channel];
  const patchnas_dsp_scale s = {w->multipliers[channel],
                                (int32_t)((uint32_t)(2 * w->output_zero_point + 1) << right_less_1),
                                right_less_1};
  return s;
}

PATCHNAS_ALWAYS_INLINE int32_t patchnas_dsp_scaled(patchnas_dsp_scale s, int32_t doubled) {
  int32_t high;
  __asm__("smmlar %0, %1, %2, %3" : "=r"(high) : "r"(doubled), "r"(s.multiplier), "r"(s.offset));
  return (high + (doubled >> 31)) >> s.right_less_1;
}

/* The output, between -128 and 127. */
PATCHNAS_ALWAYS_INLINE int8_t patchnas_dsp_finish(patchnas_dsp_scale s, int32_t doubled) {
  const int32_t scaled = patchnas_dsp_scaled(s, doubled);
  int32_t clamped;
  __asm__("ssat %0, #8, %1, asr #1" : "=r"(clamped) : "r"(scaled));
  return (int8_t)clamped;
}

/* 1 if that requantisation is exact for all channels, each a sum of `terms` products and a bias. */
int patchnas_dsp_is_exact(const patchnas_weights* weights, int32_t channels, int32_t terms);

/* Clamps outputs further than to int8, four at a time, where [low, high] is narrower. */
void patchnas_dsp_clamp(int32_t low, int32_t high, const patchnas_window* output,
                        patchnas_rect computed);

/* sum + the products of `count` weights and values. */
PATCHNAS_ALWAYS_INLINE int32_t patchnas_dsp_dot(int32_t sum, const int8_t* weights,
                                                const int8_t* values, int32_t count) {
  for (; count >= 4; count -= 4, weights += 4, values += 4) {
    const uint32_t w = patchnas_load_word(weights);
    const uint32_t x = patchnas_load_word(values);
    sum = __smlad(patchnas_even_bytes(w), patchnas_even_bytes(x), sum);
    sum = __smlad(patchnas_odd_bytes(w), patchnas_odd_bytes(x), sum);
  }
  for (; count > 0; --count) {
    sum += *weights++ * *values++;
  }
  return sum;
}

/* sum + value * the sum of `count` weights. */
PATCHNAS_ALWAYS_INLINE int32_t patchnas_dsp_dot_constant(int32_t sum, const int8_t* weights,
                                                         int32_t value, int32_t count) {
  const int16x2_t pair = (int16x2_t)((uint32_t)(uint16_t)value * 0x10001u);
  for (; count >= 4; count -= 4, weights += 4) {
    const uint32_t w = patchnas_load_word(weights);
    sum = __smlad(patchnas_even_bytes(w), pair, sum);
    sum = __smlad(patchnas_odd_bytes(w), pair, sum);
  }
  for (; count > 0; --count) {
    sum += *weights++ * value;
  }
  return sum;
}

#endif
