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
PATCHNAS_ALWAYS_INLINE int32x4_t patchnas_mve_finish(const patchnas_weights* w,
                                                     patchnas_mve_scale scale, int32x4_t sums) {
  const int32x4_t zero = vdupq_n_s32(0);
  const int32x4_t right = vminq_s32(scale.shift, zero);
  const int32x4_t left = vmaxq_s32(scale.shift, zero);
  const int32x4_t high = vqrdmulhq_s32(vshlq_s32(sums, left), scale.multiplier);
  const int32x4_t away = vshrq_n_s32(vandq_s32(high, right), 31);
  int32x4_t x = vrshlq_s32(vqaddq_s32(high, away), right);
  x = vaddq_n_s32(x, w->output_zero_point);
  x = vmaxq_s32(x, vdupq_n_s32(w->clamp_min));
  return vminq_s32(x, vdupq_n_s32(w->clamp_max));
}

#endif
