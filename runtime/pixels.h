/* The pixels under a window, and their sums channel by channel: what poolings and means finish,
 * each in its way. */
#ifndef PATCHNAS_RUNTIME_PIXELS_H
#define PATCHNAS_RUNTIME_PIXELS_H

#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve.h"
#elif defined(PATCHNAS_DSP)
#include "runtime/dsp.h"
#else
#include "runtime/arithmetic.h"
#endif

/* Those under one output pixel's window that are inside the image. */
typedef struct patchnas_pixels {
  const int8_t* first;
  int32_t rows, cols, row_pitch, channels;
} patchnas_pixels;

/* `rows` are patchnas_row_taps of its row. */
static inline patchnas_pixels patchnas_pixels_under(const patchnas_kernel* kernel,
                                                    const patchnas_window* input,
                                                    patchnas_taps rows, int32_t col) {
  const patchnas_taps cols = patchnas_col_taps(kernel, col);
  const patchnas_pixels p = {
      patchnas_pixel(input, rows.origin + rows.begin, cols.origin + cols.begin),
      rows.end - rows.begin, cols.end - cols.begin, input->width * input->channels,
      input->channels};
  return p;
}

static inline int32_t patchnas_sum_of_channel(const patchnas_pixels* p, int32_t channel) {
  const int8_t* row = p->first + channel;
  const int32_t pitch = p->channels;
  int32_t sum = 0;
  for (int32_t y = p->rows; y > 0; --y, row += p->row_pitch) {
    const int8_t* at = row;
    for (int32_t x = p->cols; x > 0; --x, at += pitch) {
      sum += *at;
    }
  }
  return sum;
}

#if defined(PATCHNAS_MVE)
/* Four channels, of which `lanes` are there. */
PATCHNAS_ALWAYS_INLINE int32x4_t patchnas_mve_sums_of_channels(const patchnas_pixels* p,
                                                               int32_t channel,
                                                               mve_pred16_t lanes) {
  const int8_t* row = p->first + channel;
  int32x4_t sums = vdupq_n_s32(0);
  for (int32_t y = p->rows; y > 0; --y, row += p->row_pitch) {
    const int8_t* at = row;
    for (int32_t x = p->cols; x > 0; --x, at += p->channels) {
      sums = vaddq_s32(sums, vldrbq_z_s32(at, lanes));
    }
  }
  return sums;
}

/* Sums of so many values fit in int16. */
enum { PATCHNAS_MVE_MOST_SUMMED = 256 };

/* The same of eight channels, at most PATCHNAS_MVE_MOST_SUMMED pixels. */
PATCHNAS_ALWAYS_INLINE int16x8_t patchnas_mve_half_sums(const patchnas_pixels* p, int32_t channel) {
  const mve_pred16_t lanes = vctp16q((uint32_t)(p->channels - channel));
  const int32_t pitch = p->channels;
  const int8_t* row = p->first + channel;
  int16x8_t sums = vdupq_n_s16(0);
  for (int32_t y = p->rows; y > 0; --y, row += p->row_pitch) {
    const int8_t* at = row;
    for (int32_t x = p->cols; x > 0; --x, at += pitch) {
      sums = vaddq_s16(sums, vldrbq_z_s16(at, lanes));
    }
  }
  return sums;
}
#elif defined(PATCHNAS_DSP)
/* Sums of so many values fit in int16. */
enum { PATCHNAS_DSP_MOST_SUMMED = 256 };

/* Of four channels the first and the third, the second and the fourth. */
typedef struct patchnas_dsp_sums {
  int16x2_t even, odd;
} patchnas_dsp_sums;

PATCHNAS_ALWAYS_INLINE patchnas_dsp_sums patchnas_dsp_add_word(patchnas_dsp_sums sums,
                                                               uint32_t word) {
  sums.even = patchnas_add_even_bytes(sums.even, word);
  sums.odd = patchnas_add_odd_bytes(sums.odd, word);
  return sums;
}

PATCHNAS_ALWAYS_INLINE patchnas_dsp_sums patchnas_dsp_sums_of_channels(const patchnas_pixels* p,
                                                                       int32_t channel) {
  const int8_t* row = p->first + channel;
  const int32_t pitch = p->channels;
  patchnas_dsp_sums sums = {0, 0};
  for (int32_t y = 0; y < p->rows; ++y, row += p->row_pitch) {
    const int8_t* at = row;
    int32_t x = p->cols;
    for (; x >= 4; x -= 4, at += 4 * pitch) {
      sums = patchnas_dsp_add_word(sums, patchnas_load_word(at));
      sums = patchnas_dsp_add_word(sums, patchnas_load_word(at + pitch));
      sums = patchnas_dsp_add_word(sums, patchnas_load_word(at + 2 * pitch));
      sums = patchnas_dsp_add_word(sums, patchnas_load_word(at + 3 * pitch));
    }
    for (; x > 0; --x, at += pitch) {
      sums = patchnas_dsp_add_word(sums, patchnas_load_word(at));
    }
  }
  return sums;
}
#endif

#endif
