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

/* Sums of pairs with bytes 0 and 2, with bytes 1 and 3. */
PATCHNAS_ALWAYS_INLINE int16x2_t patchnas_add_even_bytes(int16x2_t sums, uint32_t word) {
  return __sxtab16(sums, (int8x4_t)word);
}
PATCHNAS_ALWAYS_INLINE int16x2_t patchnas_add_odd_bytes(int16x2_t sums, uint32_t word) {
  int16x2_t pair;
  __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(pair) : "r"(sums), "r"(word));
  return pair;
}

PATCHNAS_ALWAYS_INLINE uint32_t patchnas_four_bytes(int32_t value) {
  return (uint32_t)(uint8_t)value * 0x01010101u;
}

/* Two int8 as a pair of int16. */
PATCHNAS_ALWAYS_INLINE uint32_t patchnas_dsp_pair(int32_t low, int32_t high) {
  uint32_t word;
  __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(word) : "r"(low), "r"(high));
  return word;
}

/* The same, doubled. */
PATCHNAS_ALWAYS_INLINE uint32_t patchnas_dsp_doubled_pair(int32_t low, int32_t high) {
  const uint32_t word = patchnas_dsp_pair(low, high);
  uint32_t doubled;
  __asm__("sadd16 %0, %1, %1" : "=r"(doubled) : "r"(word));
  return doubled;
}

/* The larger and the smaller ones of four pairs of int8. SEL chooses by the flags of SSUB8. */
PATCHNAS_ALWAYS_INLINE uint32_t patchnas_dsp_larger_bytes(uint32_t a, uint32_t b) {
  uint32_t larger;
  __asm__("ssub8 %0, %1, %2 \n\t sel %0, %1, %2" : "=&r"(larger) : "r"(a), "r"(b) : "cc");
  return larger;
}
PATCHNAS_ALWAYS_INLINE uint32_t patchnas_dsp_smaller_bytes(uint32_t a, uint32_t b) {
  uint32_t smaller;
  __asm__("ssub8 %0, %1, %2 \n\t sel %0, %2, %1" : "=&r"(smaller) : "r"(a), "r"(b) : "cc");
  return smaller;
}

#if defined(PATCHNAS_SINGLE_ROUNDING)
/* How one channel's accumulators, doubled, become outputs. With |accumulator| < 2^30 and
 * 1 <= right shift <= 31 scaling takes two instructions:
 *
 *   (half * 2^32 + 2 * accumulator * multiplier) >> 32 >> right       half = 2^(right - 1) */
typedef struct patchnas_dsp_scale {
  int32_t multiplier, half, right;
  int32_t zero_point;
} patchnas_dsp_scale;

/* A multiplier of 0 may have a shift of 0. */
PATCHNAS_ALWAYS_INLINE patchnas_dsp_scale patchnas_dsp_make_scale(int32_t multiplier, int32_t shift,
                                                                  int32_t zero_point) {
  const int32_t right = -shift;
  const patchnas_dsp_scale s = {multiplier, (int32_t)((uint32_t)1 << right >> 1), right,
                                zero_point};
  return s;
}

/* What the accumulator is scaled to. */
PATCHNAS_ALWAYS_INLINE int32_t patchnas_dsp_rescale(patchnas_dsp_scale s, int32_t doubled) {
  int32_t high;
  __asm__("smmla %0, %1, %2, %3" : "=r"(high) : "r"(doubled), "r"(s.multiplier), "r"(s.half));
  return high >> s.right;
}

/* Twice what the accumulator is scaled to. */
PATCHNAS_ALWAYS_INLINE int32_t patchnas_dsp_rescale_doubled(patchnas_dsp_scale s, int32_t doubled) {
  return 2 * patchnas_dsp_rescale(s, doubled);
}

/* What any accumulator, not doubled, is scaled to where the shift is at least 2 to the right. */
PATCHNAS_ALWAYS_INLINE int32_t patchnas_dsp_rescale_all(patchnas_dsp_scale s, int32_t accumulator) {
  const int64_t rounding = (int64_t)(s.half >> 1) << 32;
  return (int32_t)(((int64_t)accumulator * s.multiplier + rounding) >> 32) >> (s.right - 1);
}
#else
/* How one channel's accumulators, doubled, become outputs. With |accumulator| < 2^30 and
 * 1 <= right shift <= 31 both roundings take three instructions:
 *
 *   high = (2 * accumulator * multiplier + 2^31) >> 32       doubling high multiply
 *   (high + half - (accumulator < 0)) >> right               half = 2^(right - 1)
 *
 * The accumulator's sign stands for that of `high`: they differ only where high = 0, which rounds
 * to 0 either way. */
typedef struct patchnas_dsp_scale {
  int32_t multiplier, half, right_less_1;
  int32_t zero_point;
} patchnas_dsp_scale;

/* A multiplier of 0 may have a shift of 0; any other gives the same. */
PATCHNAS_ALWAYS_INLINE patchnas_dsp_scale patchnas_dsp_make_scale(int32_t multiplier, int32_t shift,
                                                                  int32_t zero_point) {
  const int32_t right_less_1 = ~shift & ~(~shift >> 31);
  const patchnas_dsp_scale s = {multiplier, (int32_t)((uint32_t)1 << right_less_1), right_less_1,
                                zero_point};
  return s;
}

/* Twice what the accumulator is scaled to, or one more. */
PATCHNAS_ALWAYS_INLINE int32_t patchnas_dsp_scaled(patchnas_dsp_scale s, int32_t doubled) {
  int32_t high;
  __asm__("smmlar %0, %1, %2, %3" : "=r"(high) : "r"(doubled), "r"(s.multiplier), "r"(s.half));
  return (high + (doubled >> 31)) >> s.right_less_1;
}

/* What the accumulator is scaled to. */
PATCHNAS_ALWAYS_INLINE int32_t patchnas_dsp_rescale(patchnas_dsp_scale s, int32_t doubled) {
  return patchnas_dsp_scaled(s, doubled) >> 1;
}

/* Twice what the accumulator is scaled to. */
PATCHNAS_ALWAYS_INLINE int32_t patchnas_dsp_rescale_doubled(patchnas_dsp_scale s, int32_t doubled) {
  return patchnas_dsp_scaled(s, doubled) & ~1;
}

/* What any accumulator, not doubled, is scaled to where the shift is at least 2 to the right. Of
 * twice the high word of the product and the bit below, the last rounding needs the bit only for
 * negative accumulators, where it decides whether 1 is subtracted:
 *
 *   high:low = accumulator * multiplier + 2^30
 *   (high + half / 2 - (accumulator < 0 and low < 2^31)) >> (right - 1) */
PATCHNAS_ALWAYS_INLINE int32_t patchnas_dsp_rescale_all(patchnas_dsp_scale s, int32_t accumulator) {
  const int64_t rounding = ((int64_t)(s.half >> 1) << 32) | (1 << 30);
  const int64_t product = (int64_t)accumulator * s.multiplier + rounding;
  const int32_t minus_1 = (accumulator & ~(int32_t)product) >> 31;
  return ((int32_t)(product >> 32) + minus_1) >> s.right_less_1;
}
#endif

PATCHNAS_ALWAYS_INLINE patchnas_dsp_scale patchnas_dsp_scale_of(const patchnas_weights* w,
                                                                int32_t channel) {
  return patchnas_dsp_make_scale(w->multipliers[channel], w->shifts[channel], w->output_zero_point);
}

/* The output, between -128 and 127. */
PATCHNAS_ALWAYS_INLINE int8_t patchnas_dsp_finish(patchnas_dsp_scale s, int32_t doubled) {
  const int32_t output = patchnas_dsp_rescale(s, doubled) + s.zero_point;
  int32_t clamped; /* the intrinsic converts signs, which packages are warned of */
  __asm__("ssat %0, #8, %1" : "=r"(clamped) : "r"(output));
  return (int8_t)clamped;
}

/* The same for any accumulator, not doubled. */
PATCHNAS_ALWAYS_INLINE int8_t patchnas_dsp_finish_all(patchnas_dsp_scale s, int32_t accumulator) {
  const int32_t output = patchnas_dsp_rescale_all(s, accumulator) + s.zero_point;
  int32_t clamped;
  __asm__("ssat %0, #8, %1" : "=r"(clamped) : "r"(output));
  return (int8_t)clamped;
}

/* 1 if that is exact, whatever the multiplier. */
PATCHNAS_ALWAYS_INLINE int patchnas_dsp_can_scale_all(int32_t shift) {
  return shift >= -31 && shift <= -2;
}

/* 1 if the scaling above is exact for these. */
PATCHNAS_ALWAYS_INLINE int patchnas_dsp_can_scale(int32_t multiplier, int32_t shift) {
  return shift >= -31 && (shift < 0 || (shift == 0 && multiplier == 0));
}

/* Sums of so many products stay below 2^29. */
#define PATCHNAS_DSP_MOST_TERMS (1 << 15)

/* 1 if the scaling above is exact for a channel, whose bias has to stay below 2^29 as well. Where
 * it is not, patchnas_dsp_finish_all may be, and patchnas_finish is. */
PATCHNAS_ALWAYS_INLINE int patchnas_dsp_is_exact(const patchnas_weights* w, int32_t channel) {
  return (uint32_t)w->biases[channel] + (1u << 29) < 1u << 30 &&
         patchnas_dsp_can_scale(w->multipliers[channel], w->shifts[channel]);
}

/* The same for all channels from `begin` to before `end`. */
int patchnas_dsp_are_exact(const patchnas_weights* weights, int32_t begin, int32_t end);

/* Clamps outputs further than to int8, four at a time, where [low, high] is narrower: the first
 * `channels` of each pixel. */
void patchnas_dsp_clamp(int32_t low, int32_t high, const patchnas_window* output, int32_t channels,
                        patchnas_rect computed);

/* sum + the products of `count` weights and values, modulo 2^32. */
PATCHNAS_ALWAYS_INLINE int32_t patchnas_dsp_dot(int32_t sum, const int8_t* weights,
                                                const int8_t* values, int32_t count) {
  for (; count >= 4; count -= 4, weights += 4, values += 4) {
    const uint32_t w = patchnas_load_word(weights);
    const uint32_t x = patchnas_load_word(values);
    sum = __smlad(patchnas_even_bytes(w), patchnas_even_bytes(x), sum);
    sum = __smlad(patchnas_odd_bytes(w), patchnas_odd_bytes(x), sum);
  }
  for (; count > 0; --count) {
    sum = (int32_t)((uint32_t)sum + (uint32_t)(*weights++ * *values++));
  }
  return sum;
}

#endif
