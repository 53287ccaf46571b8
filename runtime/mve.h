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

#if defined(PATCHNAS_SINGLE_ROUNDING)
/* VQDMULH cuts off what VRSHL's half then rounds; where nothing is shifted right, it is shifted
 * left by one more before. What VQSHL saturates is clamped at the end. */
PATCHNAS_ALWAYS_INLINE int32x4_t patchnas_mve_requantise(int32x4_t x, int32x4_t multiplier,
                                                         int32x4_t shift) {
  const int32x4_t right = vminq_s32(shift, vdupq_n_s32(-1));
  const int32x4_t left = vsubq_s32(shift, right);
  return vrshlq_s32(vqdmulhq_s32(vqshlq_s32(x, left), multiplier), right);
}

/* The same where all four shifts are negative. */
PATCHNAS_ALWAYS_INLINE int32x4_t patchnas_mve_requantise_right(int32x4_t x, int32x4_t multiplier,
                                                               int32x4_t shift) {
  return vrshlq_s32(vqdmulhq_s32(x, multiplier), shift);
}
#else
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

/* The same where all four shifts are negative. VQDMLAH by 1 adds the high half of twice the value:
 * -1 to negative numbers. */
PATCHNAS_ALWAYS_INLINE int32x4_t patchnas_mve_requantise_right(int32x4_t x, int32x4_t multiplier,
                                                               int32x4_t shift) {
  const int32x4_t high = vqrdmulhq_s32(x, multiplier);
  return vrshlq_s32(vqdmlahq_n_s32(high, high, 1), shift);
}
#endif

/* Four values, clamped to int8, each in the lowest byte of its lane. */
PATCHNAS_ALWAYS_INLINE int32x4_t patchnas_mve_saturate(int32x4_t x) {
  __asm__(/* the intrinsics would copy the register that each fills by half */
          "vqmovnb.s32 %q0, %q0 \n\t"
          "vqmovnb.s16 %q0, %q0"
          : "+w"(x));
  return x;
}

PATCHNAS_ALWAYS_INLINE int32x4_t patchnas_mve_finish(const patchnas_weights* w,
                                                     patchnas_mve_scale scale, int32x4_t sums) {
  const int32x4_t scaled = patchnas_mve_requantise(sums, scale.multiplier, scale.shift);
  return patchnas_mve_saturate(vaddq_n_s32(scaled, w->output_zero_point));
}

PATCHNAS_ALWAYS_INLINE int32x4_t patchnas_mve_finish_right(const patchnas_weights* w,
                                                           patchnas_mve_scale scale,
                                                           int32x4_t sums) {
  const int32x4_t scaled = patchnas_mve_requantise_right(sums, scale.multiplier, scale.shift);
  return patchnas_mve_saturate(vaddq_n_s32(scaled, w->output_zero_point));
}

/* `count` bytes > 0; a loop in C would become a call of the C library. */
PATCHNAS_ALWAYS_INLINE void patchnas_mve_fill(int8_t* to, int32_t count, int8_t value) {
  const int8x16_t values = vdupq_n_s8(value);
  __asm__ volatile(
      "dlstp.8 lr, %[count] \n"
      "1: \n\t"
      "vstrb.8 %q[values], [%[to]], #16 \n\t"
      "letp lr, 1b"
      : [to] "+&r"(to)
      : [count] "r"(count), [values] "w"(values)
      : "lr", "cc", "memory");
}

/* `count` bytes > 0 to where they are apart from. */
PATCHNAS_ALWAYS_INLINE void patchnas_mve_copy(int8_t* to, const int8_t* from, int32_t count) {
  __asm__ volatile(
      "dlstp.8 lr, %[count] \n"
      "1: \n\t"
      "vldrb.8 q0, [%[from]], #16 \n\t"
      "vstrb.8 q0, [%[to]], #16 \n\t"
      "letp lr, 1b"
      : [to] "+&r"(to), [from] "+&r"(from)
      : [count] "r"(count)
      : "q0", "lr", "cc", "memory");
}

/* `count` pieces of `bytes` <= 16 bytes each. */
PATCHNAS_ALWAYS_INLINE void patchnas_mve_copy_pieces(int8_t* to, int32_t to_pitch,
                                                     const int8_t* from, int32_t from_pitch,
                                                     int32_t bytes, int32_t count) {
  __asm__ volatile(
      "vctp.8 %[bytes] \n\t"
      "dls lr, %[count] \n"
      "1: \n\t"
      "vpstt \n\t"
      "vldrbt.8 q0, [%[from]] \n\t"
      "vstrbt.8 q0, [%[to]] \n\t"
      "add %[from], %[from], %[from_pitch] \n\t"
      "add %[to], %[to], %[to_pitch] \n\t"
      "le lr, 1b"
      : [to] "+&r"(to), [from] "+&r"(from)
      :
      [to_pitch] "r"(to_pitch), [from_pitch] "r"(from_pitch), [bytes] "r"(bytes), [count] "r"(count)
      : "q0", "lr", "cc", "memory", "p0");
}

/* Clamps outputs further than to int8, where [low, high] is narrower: the first `channels` of each
 * pixel. */
PATCHNAS_ALWAYS_INLINE void patchnas_mve_clamp(int32_t low, int32_t high,
                                               const patchnas_window* output, int32_t channels,
                                               patchnas_rect computed) {
  if (low <= INT8_MIN && high >= INT8_MAX) {
    return;
  }
  const int8x16_t lows = vdupq_n_s8((int8_t)low);
  const int8x16_t highs = vdupq_n_s8((int8_t)high);
  const int32_t cols = computed.col_end - computed.col_begin;
  const int32_t runs = channels == output->channels ? 1 : cols; /* in a row */
  const int32_t run = channels == output->channels ? cols * channels : channels;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    int8_t* first = patchnas_pixel(output, row, computed.col_begin);
    for (int32_t more = runs; more > 0; --more, first += output->channels) {
      int8_t* at = first;
      for (int32_t left = run; left > 0; left -= 16, at += 16) {
        const mve_pred16_t bytes = vctp8q((uint32_t)left);
        vstrbq_p_s8(at, vminq_s8(vmaxq_s8(vldrbq_z_s8(at, bytes), lows), highs), bytes);
      }
    }
  }
}

#endif
