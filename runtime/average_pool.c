#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve.h"
#elif defined(PATCHNAS_DSP)
#include "runtime/dsp.h"
#else
#include "runtime/arithmetic.h"
#endif

/* What one output pixel averages: the pixels of a rectangle inside the image. */
typedef struct pool {
  const int8_t* first;
  int32_t rows, cols, row_pitch, channels;
  int32_t clamp_min, clamp_max;
} pool;

/* Rounds to nearest, ties away from zero. */
static int8_t mean_of(const pool* p, int32_t sum) {
  const int32_t count = p->rows * p->cols;
  const int32_t mean = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
  return patchnas_clamp(mean, p->clamp_min, p->clamp_max);
}

static void average(const pool* p, int8_t* out) {
  for (int32_t c = 0; c < p->channels; ++c) {
    const int8_t* row = p->first + c;
    int32_t sum = 0;
    for (int32_t y = 0; y < p->rows; ++y, row += p->row_pitch) {
      for (int32_t x = 0; x < p->cols; ++x) {
        sum += row[x * p->channels];
      }
    }
    out[c] = mean_of(p, sum);
  }
}

#if defined(PATCHNAS_MVE)
/* Where the quotients below are exact. */
enum { kFewestValues = 2, kMostValues = 4096 };

/* Four channels at a time. Sums of n values are divided by multiplying by 2^32 / n, rounded up: the
 * dividend, |sum| + n / 2, is below 129 * n, so that the product's error, below 129 * n / 2^32, is
 * less than 1 / n. */
static void average_vectors(const pool* p, int8_t* out) {
  const uint32_t count = (uint32_t)(p->rows * p->cols);
  const uint32x4_t reciprocal = vdupq_n_u32(UINT32_MAX / count + 1);
  const int32x4_t low = vdupq_n_s32(p->clamp_min);
  const int32x4_t high = vdupq_n_s32(p->clamp_max);
  for (int32_t c = 0; c < p->channels; c += 4) {
    const mve_pred16_t lanes = vctp32q((uint32_t)(p->channels - c));
    const int8_t* row = p->first + c;
    int32x4_t sums = vdupq_n_s32(0);
    for (int32_t y = p->rows; y > 0; --y, row += p->row_pitch) {
      const int8_t* at = row;
      for (int32_t x = p->cols; x > 0; --x, at += p->channels) {
        sums = vaddq_s32(sums, vldrbq_z_s32(at, lanes));
      }
    }
    const uint32x4_t dividends = vaddq_n_u32(vreinterpretq_u32_s32(vabsq_s32(sums)), count / 2);
    const int32x4_t sizes = vreinterpretq_s32_u32(vmulhq_u32(dividends, reciprocal));
    const int32x4_t means = vnegq_m_s32(sizes, sizes, vcmpltq_n_s32(sums, 0));
    vstrbq_p_s32(out + c, vminq_s32(vmaxq_s32(means, low), high), lanes);
  }
}
#elif defined(PATCHNAS_DSP)
/* Sums of so many values fit in int16. */
enum { kMostValues = 256 };

/* At least four channels, four at a time; the last four overlap those before them. */
static void average_words(const pool* p, int8_t* out) {
  for (int32_t done = 0; done < p->channels; done += 4) {
    const int32_t c = p->channels - done >= 4 ? done : p->channels - 4;
    const int8_t* row = p->first + c;
    int16x2_t even = 0, odd = 0;
    for (int32_t y = 0; y < p->rows; ++y, row += p->row_pitch) {
      const int8_t* at = row;
      for (int32_t x = p->cols; x > 0; --x, at += p->channels) {
        const uint32_t word = patchnas_load_word(at);
        even = patchnas_add_even_bytes(even, word);
        odd = patchnas_add_odd_bytes(odd, word);
      }
    }
    out[c] = mean_of(p, (int16_t)even);
    out[c + 1] = mean_of(p, (int16_t)odd);
    out[c + 2] = mean_of(p, even >> 16);
    out[c + 3] = mean_of(p, odd >> 16);
  }
}
#endif

/* Pixels outside the image do not count. */
void patchnas_average_pool(const patchnas_kernel* kernel, int32_t clamp_min, int32_t clamp_max,
                           const patchnas_window* input, const patchnas_window* output,
                           patchnas_rect computed) {
  const int32_t channels = input->channels;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    const patchnas_taps rows = patchnas_row_taps(kernel, row);
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      const patchnas_taps cols = patchnas_col_taps(kernel, col);
      const pool p = {patchnas_pixel(input, rows.origin + rows.begin, cols.origin + cols.begin),
                      rows.end - rows.begin,
                      cols.end - cols.begin,
                      input->width * channels,
                      channels,
                      clamp_min,
                      clamp_max};
      int8_t* const out = patchnas_pixel(output, row, col);
#if defined(PATCHNAS_MVE)
      if (p.rows * p.cols >= kFewestValues && p.rows * p.cols <= kMostValues) {
        average_vectors(&p, out);
        continue;
      }
#elif defined(PATCHNAS_DSP)
      if (channels >= 4 && p.rows * p.cols <= kMostValues) {
        average_words(&p, out);
        continue;
      }
#endif
      average(&p, out);
    }
  }
}
