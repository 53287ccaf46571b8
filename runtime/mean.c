#include "runtime/finish_sums.h"
#include "runtime/pixels.h"

#if defined(PATCHNAS_MVE)
/* Eight channels at a time where their sums are small, else four. */
static void mean_of(const patchnas_pixels* p, const patchnas_mean_scale* scale, int8_t* out) {
  const int32_t zero_points = p->rows * p->cols * scale->input_zero_point;
  if (p->rows * p->cols <= PATCHNAS_MVE_MOST_SUMMED) {
    for (int32_t c = 0; c < p->channels; c += 8) {
      int16_t halves[8];
      vstrhq_s16(halves, patchnas_mve_half_sums(p, c));
      for (int32_t i = 0; i < 8 && c + i < p->channels; i += 4) {
        vstrbq_p_s32(out + c + i,
                     patchnas_mve_scaled_sums(scale, zero_points, vldrhq_s32(halves + i)),
                     vctp32q((uint32_t)(p->channels - c - i)));
      }
    }
    return;
  }
  for (int32_t c = 0; c < p->channels; c += 4) {
    const mve_pred16_t lanes = vctp32q((uint32_t)(p->channels - c));
    const int32x4_t sums = patchnas_mve_sums_of_channels(p, c, lanes);
    vstrbq_p_s32(out + c, patchnas_mve_scaled_sums(scale, zero_points, sums), lanes);
  }
}
#else
static void mean_of(const patchnas_pixels* p, const patchnas_mean_scale* scale, int8_t* out) {
  const int32_t zero_points = p->rows * p->cols * scale->input_zero_point;
#if defined(PATCHNAS_DSP)
  /* At least four channels, four at a time; the last four overlap those before them. */
  if (p->channels >= 4 && p->rows * p->cols <= PATCHNAS_DSP_MOST_SUMMED) {
    for (int32_t done = 0; done < p->channels; done += 4) {
      const int32_t c = p->channels - done >= 4 ? done : p->channels - 4;
      const patchnas_dsp_sums sums = patchnas_dsp_sums_of_channels(p, c);
      out[c] = patchnas_scaled_sum(scale, zero_points, (int16_t)sums.even);
      out[c + 1] = patchnas_scaled_sum(scale, zero_points, (int16_t)sums.odd);
      out[c + 2] = patchnas_scaled_sum(scale, zero_points, sums.even >> 16);
      out[c + 3] = patchnas_scaled_sum(scale, zero_points, sums.odd >> 16);
    }
    return;
  }
#endif
  for (int32_t c = 0; c < p->channels; ++c) {
    out[c] = patchnas_scaled_sum(scale, zero_points, patchnas_sum_of_channel(p, c));
  }
}
#endif

void patchnas_mean(const patchnas_kernel* kernel, const patchnas_mean_scale* scale,
                   const patchnas_window* input, const patchnas_window* output,
                   patchnas_rect computed) {
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    const patchnas_taps rows = patchnas_row_taps(kernel, row);
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      const patchnas_pixels p = patchnas_pixels_under(kernel, input, rows, col);
      mean_of(&p, scale, patchnas_pixel(output, row, col));
    }
  }
}
