/* Helium: requantisation of four channels or pixels at a time. Only where PATCHNAS_MVE is defined.
 */
#ifndef PATCHNAS_RUNTIME_MVE_H
#define PATCHNAS_RUNTIME_MVE_H

#include <arm_mve.h>

#include "runtime/arithmetic.h"

#define PATCHNAS_ALWAYS_INLINE static inline __attribute__((always_inline))

/* How four lanes' sums, bias included, become outputs. */
typedef struct patchnas_mve_scale {
  int32x4_t multiplier, shift;
} patchnas_mve_scale;

/* VQRDMULH is the doubling high multiply. VRSHL rounds ties upwards; one less for negative numbers
 * that are shifted makes that away from zero. */
PATCHNAS_ALWAYS_INLINE int32x4_t patchnas_mve_requantise(int32x4_t x, int32x4_t multiplier,
                                                         int32x4_t shift) {
  const int32x4_t zero = vdupq_n_s32(0);
  const int32x4_t right = vminq_s32(shift, zero);
  const int32x4_t left = vmaxq_s32(shift, zero);
  const int32x4_t high = vqrdmulhq_s32(vshlq_s32(x, left), multiplier);
  const int32x4_t away = vshrq_n_s32(vandq_s32(high, right), 31);
  return vrshlq_s32(vqaddq_s32(high, away), right);
}

PATCHNAS_ALWAYS_INLINE int32x4_t patchnas_mve_clamp(int32x4_t x, int32_t zero_point, int32_t low,
                                                    int32_t high) {
  x = vmaxq_s32(vaddq_n_s32(x, zero_point), vdupq_n_s32(low));
  return vminq_s32(x, vdupq_n_s32(high));
}

PATCHNAS_ALWAYS_INLINE int32x4_t patchnas_mve_finish(const patchnas_weights* w,
                                                     patchnas_mve_scale scale, int32x4_t sums) {
  return patchnas_mve_clamp(patchnas_mve_requantise(sums, scale.multiplier, scale.shift),
                            w->output_zero_point, w->clamp_min, w->clamp_max);
}

#endif
