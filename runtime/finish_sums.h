/* How sums of values become averages and means. */
#ifndef PATCHNAS_RUNTIME_FINISH_SUMS_H
#define PATCHNAS_RUNTIME_FINISH_SUMS_H

#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve.h"
#else
#include "runtime/arithmetic.h"
#endif

/* Rounds to nearest, ties away from zero. */
static inline int8_t patchnas_rounded_average(int32_t sum, int32_t count, int32_t clamp_min,
                                              int32_t clamp_max) {
  const int32_t average = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
  return patchnas_clamp(average, clamp_min, clamp_max);
}

#if defined(PATCHNAS_MVE)
/* What divides sums of `count` values. */
typedef struct patchnas_mve_average {
  uint32x4_t reciprocal;
  uint32_t half;
  int32x4_t low, high;
} patchnas_mve_average;

/* Where the quotients below are exact. */
static inline int patchnas_mve_can_average(int32_t count) { return count >= 2 && count <= 4096; }

/* Sums of n values are divided by multiplying by 2^32 / n, rounded up: the dividend, |sum| + n / 2,
 * is below 129 * n, so that the product's error, below 129 * n / 2^32, is less than 1 / n. */
PATCHNAS_ALWAYS_INLINE patchnas_mve_average patchnas_mve_average_of(int32_t count,
                                                                    int32_t clamp_min,
                                                                    int32_t clamp_max) {
  const patchnas_mve_average a = {vdupq_n_u32(UINT32_MAX / (uint32_t)count + 1),
                                  (uint32_t)count / 2, vdupq_n_s32(clamp_min),
                                  vdupq_n_s32(clamp_max)};
  return a;
}

/* Each in the lowest byte of its lane. */
PATCHNAS_ALWAYS_INLINE int32x4_t patchnas_mve_rounded_averages(patchnas_mve_average a,
                                                               int32x4_t sums) {
  const uint32x4_t dividends = vaddq_n_u32(vreinterpretq_u32_s32(vabsq_s32(sums)), a.half);
  const int32x4_t sizes = vreinterpretq_s32_u32(vmulhq_u32(dividends, a.reciprocal));
  const int32x4_t averages = vnegq_m_s32(sizes, sizes, vcmpltq_n_s32(sums, 0));
  return vminq_s32(vmaxq_s32(averages, a.low), a.high);
}

/* Means of values whose zero points add up to `zero_points`. */
PATCHNAS_ALWAYS_INLINE int32x4_t patchnas_mve_scaled_sums(const patchnas_mean_scale* scale,
                                                          int32_t zero_points, int32x4_t sums) {
  const int32x4_t scaled = patchnas_mve_requantise(
      vsubq_n_s32(sums, zero_points), vdupq_n_s32(scale->multiplier), vdupq_n_s32(scale->shift));
  return patchnas_mve_saturate(vaddq_n_s32(scaled, scale->output_zero_point));
}
#endif

/* A mean of values whose zero points add up to `zero_points`. */
static inline int8_t patchnas_scaled_sum(const patchnas_mean_scale* scale, int32_t zero_points,
                                         int32_t sum) {
  const int32_t scaled = patchnas_requantise(sum - zero_points, scale->multiplier, scale->shift);
  return patchnas_clamp(scaled + scale->output_zero_point, INT8_MIN, INT8_MAX);
}

#endif
