#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve.h"

/* An input's part of four sums; VSHLQ and VRSHLQ shift to the right where a shift is negative. */
PATCHNAS_ALWAYS_INLINE int32x4_t scaled(int32x4_t values, const patchnas_add_scales* s, int input) {
  const int32x4_t shifted = vshlq_n_s32(vsubq_n_s32(values, s->zero_points[input]), 20);
  return patchnas_mve_requantise(shifted, vdupq_n_s32(s->multipliers[input]),
                                 vdupq_n_s32(s->shifts[input]));
}

/* Any scales. */
static void add_run(const patchnas_add_scales* scales, const int8_t* a, const int8_t* b,
                    int8_t* out, int32_t count) {
  const patchnas_add_scales s = *scales;
  const int32x4_t multiplier = vdupq_n_s32(s.output_multiplier);
  const int32x4_t shift = vdupq_n_s32(s.output_shift);
  for (; count > 0; count -= 4, a += 4, b += 4, out += 4) {
    const mve_pred16_t lanes = vctp32q((uint32_t)count);
    const int32x4_t sum =
        vaddq_s32(scaled(vldrbq_z_s32(a, lanes), &s, 0), scaled(vldrbq_z_s32(b, lanes), &s, 1));
    const int32x4_t values = patchnas_mve_requantise(sum, multiplier, shift);
    vstrbq_p_s32(out, patchnas_mve_saturate(vaddq_n_s32(values, s.output_zero_point)), lanes);
  }
}

/* One input has the larger scale, whose factor is exactly 1/2: its part of the sum is the
 * difference to its zero point, shifted left by 19. */
static int is_half(const patchnas_add_scales* s, int input) {
  return s->multipliers[input] == 1 << 30 && s->shifts[input] == 0;
}

/* A multiple of four values where `half` is that input, and the other's scale and the sum's shift
 * to the right. */
static void add_fours(const patchnas_add_scales* s, int half, const int8_t* a, const int8_t* b,
                      int8_t* out, int32_t count) {
  const int other = 1 - half;
  /* 1/2 as 1/4 of twice as much, which is exact: what is scaled has to be shifted right. */
  const int equal = is_half(s, other);
  const int32_t factor = equal ? 1 << 21 : 1 << 20;
  const int32x4_t factors = vdupq_n_s32(factor);
  const int32x4_t multiplier = vdupq_n_s32(s->multipliers[other]);
  const int32x4_t shift = vdupq_n_s32(equal ? -1 : s->shifts[other]);
  const int32x4_t output_multiplier = vdupq_n_s32(s->output_multiplier);
  const int32x4_t output_shift = vdupq_n_s32(s->output_shift);
  const int32_t half_offset = -s->zero_points[half] * (1 << 19);
  const int32_t other_offset = -s->zero_points[other] * factor;
  const int32_t zero_point = s->output_zero_point;
  for (int32_t left = count >> 2; left > 0; --left, a += 4, b += 4, out += 4) {
    const int32x4_t difference = vmlasq_n_s32(vldrbq_s32(b), factors, other_offset);
    int32x4_t sum = patchnas_mve_requantise_right(difference, multiplier, shift);
    sum = vaddq_n_s32(vmlaq_n_s32(sum, vldrbq_s32(a), 1 << 19), half_offset);
    const int32x4_t values = patchnas_mve_requantise_right(sum, output_multiplier, output_shift);
    vstrbq_s32(out, patchnas_mve_saturate(vaddq_n_s32(values, zero_point)));
  }
}

void patchnas_add(const patchnas_add_scales* scales, const patchnas_window* a,
                  const patchnas_window* b, const patchnas_window* output, patchnas_rect computed) {
  const int half = is_half(scales, 0) ? 0 : 1;
  const int other = 1 - half;
  const int fast = is_half(scales, half) && (is_half(scales, other) || scales->shifts[other] < 0) &&
                   scales->output_shift < 0;
  const int32_t run = (computed.col_end - computed.col_begin) * output->channels;
  const int32_t fours = fast ? run & ~3 : 0;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    const int8_t* const in_a = patchnas_pixel(a, row, computed.col_begin);
    const int8_t* const in_b = patchnas_pixel(b, row, computed.col_begin);
    int8_t* const out = patchnas_pixel(output, row, computed.col_begin);
    add_fours(scales, half, half == 0 ? in_a : in_b, half == 0 ? in_b : in_a, out, fours);
    add_run(scales, in_a + fours, in_b + fours, out + fours, run - fours);
  }
  patchnas_mve_clamp(scales->clamp_min, scales->clamp_max, output, output->channels, computed);
}

#else

#if defined(PATCHNAS_DSP)
#include "runtime/dsp_sum.h"
#else
#include "runtime/arithmetic.h"
#endif

static int32_t scaled(const patchnas_add_scales* s, int input, int8_t value) {
  const int32_t shifted = (value - s->zero_points[input]) * (1 << 20);
  return patchnas_requantise(shifted, s->multipliers[input], s->shifts[input]);
}

static int8_t sum(const patchnas_add_scales* s, int8_t a, int8_t b) {
  const int32_t total =
      patchnas_requantise(scaled(s, 0, a) + scaled(s, 1, b), s->output_multiplier, s->output_shift);
  return patchnas_clamp(total + s->output_zero_point, s->clamp_min, s->clamp_max);
}

#if defined(PATCHNAS_DSP)
/* The sum of byte `byte` of both words. */
PATCHNAS_ALWAYS_INLINE int8_t fast_sum(const patchnas_dsp_sum_scales* f, uint32_t half,
                                       uint32_t other, int byte) {
  const int32_t a = patchnas_dsp_difference(half, byte, f->minus_half_zero_point);
  const int32_t b = patchnas_dsp_difference(other, byte, f->minus_other_zero_point);
  const int32_t doubled_b =
      patchnas_dsp_rescale_doubled(f->other, (int32_t)((uint32_t)b << f->other_shift));
  return patchnas_dsp_finish(f->output, a * (1 << 20) + doubled_b);
}

/* `words` times four sums; the output may lie over either input. */
static void fast_sums(const patchnas_dsp_sum_scales* scales, const int8_t* half,
                      const int8_t* other, int8_t* out, int32_t words) {
  const patchnas_dsp_sum_scales f = *scales;
  const int8_t* const end = half + 4 * words;
  for (; half < end; half += 4, other += 4, out += 4) {
    const uint32_t a = patchnas_load_word(half);
    const uint32_t b = patchnas_load_word(other);
    out[0] = fast_sum(&f, a, b, 0);
    out[1] = fast_sum(&f, a, b, 1);
    out[2] = fast_sum(&f, a, b, 2);
    out[3] = fast_sum(&f, a, b, 3);
  }
}
#endif

void patchnas_add(const patchnas_add_scales* scales, const patchnas_window* a,
                  const patchnas_window* b, const patchnas_window* output, patchnas_rect computed) {
  const int32_t run = (computed.col_end - computed.col_begin) * output->channels;
#if defined(PATCHNAS_DSP)
  patchnas_dsp_sum_scales f;
  const int half = patchnas_dsp_is_half(scales, 0) ? 0 : 1;
  const int fast = patchnas_dsp_choose_sum(scales, half, &f);
#endif
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    const int8_t* const in_a = patchnas_pixel(a, row, computed.col_begin);
    const int8_t* const in_b = patchnas_pixel(b, row, computed.col_begin);
    int8_t* const out = patchnas_pixel(output, row, computed.col_begin);
    int32_t i = 0;
#if defined(PATCHNAS_DSP)
    if (fast) {
      fast_sums(&f, half == 0 ? in_a : in_b, half == 0 ? in_b : in_a, out, run / 4);
      i = run - run % 4;
    }
#endif
    for (; i < run; ++i) {
      out[i] = sum(scales, in_a[i], in_b[i]);
    }
  }
#if defined(PATCHNAS_DSP)
  patchnas_dsp_clamp(scales->clamp_min, scales->clamp_max, output, output->channels, computed);
#endif
}
#endif
