#include "runtime/pixels.h"

#if defined(PATCHNAS_MVE) || defined(PATCHNAS_DSP)
/* Sums of at most 256 pixels, which fit in 16 bits, are added at once. */
#if defined(PATCHNAS_MVE)
static void add_pixels(int32_t* sums, const patchnas_pixels* p) {
  for (int32_t c = 0; c < p->channels; c += 8) {
    const int32_t left = p->channels - c;
    int16_t halves[8];
    vstrhq_s16(halves, patchnas_mve_half_sums(p, c));
    for (int32_t i = 0; i < 8 && i < left; i += 4) {
      const mve_pred16_t four = vctp32q((uint32_t)(left - i));
      int32_t* const to = sums + c + i;
      vstrwq_p_s32(to, vaddq_s32(vldrwq_z_s32(to, four), vldrhq_s32(halves + i)), four);
    }
  }
}
#else
static void add_pixels(int32_t* sums, const patchnas_pixels* p) {
  int32_t c = 0;
  for (; p->channels - c >= 4; c += 4) {
    const patchnas_dsp_sums four = patchnas_dsp_sums_of_channels(p, c);
    sums[c] += (int16_t)four.even;
    sums[c + 1] += (int16_t)four.odd;
    sums[c + 2] += four.even >> 16;
    sums[c + 3] += four.odd >> 16;
  }
  for (; c < p->channels; ++c) {
    sums[c] += patchnas_sum_of_channel(p, c);
  }
}
#endif

static int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }

void patchnas_sum_pixels(int32_t* sums, const patchnas_window* input, patchnas_rect rect) {
  enum { kMost = 256 }; /* PATCHNAS_MVE_MOST_SUMMED, PATCHNAS_DSP_MOST_SUMMED */
  const int32_t most_cols = least(rect.col_end - rect.col_begin, kMost);
  for (int32_t col = rect.col_begin; col < rect.col_end; col += most_cols) {
    const int32_t cols = least(rect.col_end - col, most_cols);
    const int32_t most_rows = kMost / cols;
    for (int32_t row = rect.row_begin; row < rect.row_end; row += most_rows) {
      const patchnas_pixels p = {patchnas_pixel(input, row, col),
                                 least(rect.row_end - row, most_rows), cols,
                                 input->width * input->channels, input->channels};
      add_pixels(sums, &p);
    }
  }
}
#else
void patchnas_sum_pixels(int32_t* sums, const patchnas_window* input, patchnas_rect rect) {
  for (int32_t row = rect.row_begin; row < rect.row_end; ++row) {
    const int8_t* at = patchnas_pixel(input, row, rect.col_begin);
    for (int32_t col = rect.col_begin; col < rect.col_end; ++col) {
      for (int32_t c = 0; c < input->channels; ++c) {
        sums[c] += *at++;
      }
    }
  }
}
#endif
