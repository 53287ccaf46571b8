/* Sums of two values of different scales. Only where PATCHNAS_DSP is defined. */
#ifndef PATCHNAS_RUNTIME_DSP_SUM_H
#define PATCHNAS_RUNTIME_DSP_SUM_H

#include "runtime/dsp.h"

/* One input has the larger scale, whose factor is exactly 1/2: its part of the sum is the
 * difference to its zero point, shifted left by 19. The other input and the sum are scaled as
 * outputs of convolutions are (dsp.h); factors are at most 1/2, so that no sum reaches 2^28. */
typedef struct patchnas_dsp_sum_scales {
  int32_t minus_half_zero_point, minus_other_zero_point;
  int32_t other_shift; /* to the left, before scaling */
  patchnas_dsp_scale other, output;
} patchnas_dsp_sum_scales;

static inline int patchnas_dsp_is_half(const patchnas_add_scales* s, int input) {
  return s->multipliers[input] == 1 << 30 && s->shifts[input] == 0;
}

/* 1 if sums can be computed so; `half` is the input with the factor 1/2. */
static inline int patchnas_dsp_choose_sum(const patchnas_add_scales* s, int half,
                                          patchnas_dsp_sum_scales* f) {
  const int other = 1 - half;
  const int equal = patchnas_dsp_is_half(s, other);
  if (!patchnas_dsp_is_half(s, half) ||
      !patchnas_dsp_can_scale(s->output_multiplier, s->output_shift) ||
      !(equal || patchnas_dsp_can_scale(s->multipliers[other], s->shifts[other]))) {
    return 0;
  }
  f->minus_half_zero_point = -s->zero_points[half];
  f->minus_other_zero_point = -s->zero_points[other];
  /* 1/2 as 1/4 of twice as much: what is scaled has to be shifted right. */
  f->other_shift = equal ? 22 : 21;
  f->other = patchnas_dsp_make_scale(s->multipliers[other], equal ? -1 : s->shifts[other], 0);
  f->output = patchnas_dsp_make_scale(s->output_multiplier, s->output_shift, s->output_zero_point);
  return 1;
}

/* Byte `byte` of a word less a zero point; the compiler would take two instructions. */
PATCHNAS_ALWAYS_INLINE int32_t patchnas_dsp_difference(uint32_t word, int byte,
                                                       int32_t minus_zero_point) {
  int32_t result;
  __asm__("sxtab %0, %1, %2, ror %3"
          : "=r"(result)
          : "r"(minus_zero_point), "r"(word), "n"(8 * byte));
  return result;
}

#endif
