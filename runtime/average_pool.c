#include "runtime/pixels.h"

/* Rounds to nearest, ties away from zero. */
static int8_t rounded_mean(int32_t sum, int32_t count, int32_t clamp_min, int32_t clamp_max) {
  const int32_t mean = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
  return patchnas_clamp(mean, clamp_min, clamp_max);
}

static void average(const patchnas_pixels* p, int32_t clamp_min, int32_t clamp_max, int8_t* out) {
  const int32_t count = p->rows * p->cols;
  for (int32_t c = 0; c < p->channels; ++c) {
    out[c] = rounded_mean(patchnas_sum_of_channel(p, c), count, clamp_min, clamp_max);
  }
}

#if defined(PATCHNAS_MVE)
/* Where the quotients below are exact. */
enum { kFewestValues = 2, kMostValues = 4096 };

/* Four channels at a time. Sums of n values are divided by multiplying by 2^32 / n, rounded up: the
 * dividend, |sum| + n / 2, is below 129 * n, so that the product's error, below 129 * n / 2^32, is
 * less than 1 / n. */
static void average_vectors(const patchnas_pixels* p, int32_t clamp_min, int32_t clamp_max,
                            int8_t* out) {
  const uint32_t count = (uint32_t)(p->rows * p->cols);
  const uint32x4_t reciprocal = vdupq_n_u32(UINT32_MAX / count + 1);
  const int32x4_t low = vdupq_n_s32(clamp_min);
  const int32x4_t high = vdupq_n_s32(clamp_max);
  for (int32_t c = 0; c < p->channels; c += 4) {
    const mve_pred16_t lanes = vctp32q((uint32_t)(p->channels - c));
    const int32x4_t sums = patchnas_mve_sums_of_channels(p, c, lanes);
    const uint32x4_t dividends = vaddq_n_u32(vreinterpretq_u32_s32(vabsq_s32(sums)), count / 2);
    const int32x4_t sizes = vreinterpretq_s32_u32(vmulhq_u32(dividends, reciprocal));
    const int32x4_t means = vnegq_m_s32(sizes, sizes, vcmpltq_n_s32(sums, 0));
    vstrbq_p_s32(out + c, vminq_s32(vmaxq_s32(means, low), high), lanes);
  }
}
#elif defined(PATCHNAS_DSP)
/* At least four channels, four at a time; the last four overlap those before them. */
static void average_words(const patchnas_pixels* p, int32_t clamp_min, int32_t clamp_max,
                          int8_t* out) {
  const int32_t count = p->rows * p->cols;
  for (int32_t done = 0; done < p->channels; done += 4) {
    const int32_t c = p->channels - done >= 4 ? done : p->channels - 4;
    const patchnas_dsp_sums sums = patchnas_dsp_sums_of_channels(p, c);
    out[c] = rounded_mean((int16_t)sums.even, count, clamp_min, clamp_max);
    out[c + 1] = rounded_mean((int16_t)sums.odd, count, clamp_min, clamp_max);
    out[c + 2] = rounded_mean(sums.even >> 16, count, clamp_min, clamp_max);
    out[c + 3] = rounded_mean(sums.odd >> 16, count, clamp_min, clamp_max);
  }
}
#endif

/* Pixels outside the image do not count. */
void patchnas_average_pool(const patchnas_kernel* kernel, int32_t clamp_min, int32_t clamp_max,
                           const patchnas_window* input, const patchnas_window* output,
                           patchnas_rect computed) {
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      const patchnas_pixels p = patchnas_pixels_under(kernel, input, row, col);
      int8_t* const out = patchnas_pixel(output, row, col);
#if defined(PATCHNAS_MVE)
      if (p.rows * p.cols >= kFewestValues && p.rows * p.cols <= kMostValues) {
        average_vectors(&p, clamp_min, clamp_max, out);
        continue;
      }
#elif defined(PATCHNAS_DSP)
      if (p.channels >= 4 && p.rows * p.cols <= PATCHNAS_DSP_MOST_SUMMED) {
        average_words(&p, clamp_min, clamp_max, out);
        continue;
      }
#endif
      average(&p, clamp_min, clamp_max, out);
    }
  }
}
