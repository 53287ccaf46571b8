#include "runtime/finish_sums.h"
#include "runtime/pixels.h"

static void average(const patchnas_pixels* p, int32_t clamp_min, int32_t clamp_max, int8_t* out) {
  const int32_t count = p->rows * p->cols;
  for (int32_t c = 0; c < p->channels; ++c) {
    out[c] = patchnas_rounded_average(patchnas_sum_of_channel(p, c), count, clamp_min, clamp_max);
  }
}

#if defined(PATCHNAS_MVE)
/* Eight channels at a time where their sums are small, else four. */
static void average_vectors(const patchnas_pixels* p, int32_t clamp_min, int32_t clamp_max,
                            int8_t* out) {
  const patchnas_mve_average a = patchnas_mve_average_of(p->rows * p->cols, clamp_min, clamp_max);
  if (p->rows * p->cols <= PATCHNAS_MVE_MOST_SUMMED) {
    for (int32_t c = 0; c < p->channels; c += 8) {
      int16_t halves[8];
      vstrhq_s16(halves, patchnas_mve_half_sums(p, c));
      for (int32_t i = 0; i < 8 && c + i < p->channels; i += 4) {
        vstrbq_p_s32(out + c + i, patchnas_mve_rounded_averages(a, vldrhq_s32(halves + i)),
                     vctp32q((uint32_t)(p->channels - c - i)));
      }
    }
    return;
  }
  for (int32_t c = 0; c < p->channels; c += 4) {
    const mve_pred16_t lanes = vctp32q((uint32_t)(p->channels - c));
    const int32x4_t sums = patchnas_mve_sums_of_channels(p, c, lanes);
    vstrbq_p_s32(out + c, patchnas_mve_rounded_averages(a, sums), lanes);
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
    out[c] = patchnas_rounded_average((int16_t)sums.even, count, clamp_min, clamp_max);
    out[c + 1] = patchnas_rounded_average((int16_t)sums.odd, count, clamp_min, clamp_max);
    out[c + 2] = patchnas_rounded_average(sums.even >> 16, count, clamp_min, clamp_max);
    out[c + 3] = patchnas_rounded_average(sums.odd >> 16, count, clamp_min, clamp_max);
  }
}
#endif

/* Pixels outside the image do not count. */
void patchnas_average_pool(const patchnas_kernel* kernel, int32_t clamp_min, int32_t clamp_max,
                           const patchnas_window* input, const patchnas_window* output,
                           patchnas_rect computed) {
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    const patchnas_taps rows = patchnas_row_taps(kernel, row);
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      const patchnas_pixels p = patchnas_pixels_under(kernel, input, rows, col);
      int8_t* const out = patchnas_pixel(output, row, col);
#if defined(PATCHNAS_MVE)
      if (patchnas_mve_can_average(p.rows * p.cols)) {
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
