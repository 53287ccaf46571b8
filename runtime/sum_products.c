#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve.h"
#elif defined(PATCHNAS_DSP)
#include "runtime/dsp_dot.h"
#else
#include "runtime/arithmetic.h"
#endif

#if defined(PATCHNAS_MVE)
/* Of the same values with the weights of four outputs. */
static void add_four(int32_t* sums, const int8_t* weights, int32_t pitch, const int8_t* values,
                     int32_t count) {
  int32_t a = sums[0], b = sums[1], c = sums[2], d = sums[3];
  for (int32_t i = 0; i < count; i += 16) {
    const mve_pred16_t lanes = vctp8q((uint32_t)(count - i));
    const int8x16_t v = vldrbq_z_s8(values + i, lanes);
    a = vmladavaq_s8(a, v, vldrbq_z_s8(weights + i, lanes));
    b = vmladavaq_s8(b, v, vldrbq_z_s8(weights + pitch + i, lanes));
    c = vmladavaq_s8(c, v, vldrbq_z_s8(weights + 2 * pitch + i, lanes));
    d = vmladavaq_s8(d, v, vldrbq_z_s8(weights + 3 * pitch + i, lanes));
  }
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
}
#elif defined(PATCHNAS_DSP)
static void add_four(int32_t* sums, const int8_t* weights, int32_t pitch, const int8_t* values,
                     int32_t count) {
  const int8_t* rows[4];
  patchnas_dsp_four_rows(rows, weights, pitch, 4);
  patchnas_dsp_add_four(sums, rows, values, count);
}
#endif

static int32_t dot(int32_t sum, const int8_t* weights, const int8_t* values, int32_t count) {
#if defined(PATCHNAS_MVE)
  for (int32_t i = 0; i < count; i += 16) {
    const mve_pred16_t lanes = vctp8q((uint32_t)(count - i));
    sum = vmladavaq_s8(sum, vldrbq_z_s8(values + i, lanes), vldrbq_z_s8(weights + i, lanes));
  }
  return sum;
#elif defined(PATCHNAS_DSP)
  return patchnas_dsp_dot(sum, weights, values, count);
#else
  return (int32_t)patchnas_dot((uint32_t)sum, weights, values, count);
#endif
}

void patchnas_sum_products(const patchnas_weights* weights, int32_t height, int32_t width,
                           int32_t* sums, int32_t output_count, const patchnas_window* input,
                           patchnas_rect rect) {
  const int32_t channels = input->channels;
  const int32_t pitch = height * width * channels;
  const int32_t count = (rect.col_end - rect.col_begin) * channels;
  for (int32_t row = rect.row_begin; row < rect.row_end; ++row) {
    const int8_t* const values = patchnas_pixel(input, row, rect.col_begin);
    const int8_t* w = weights->weights + (row * width + rect.col_begin) * channels;
    int32_t o = 0;
#if defined(PATCHNAS_MVE) || defined(PATCHNAS_DSP)
    for (; o + 4 <= output_count; o += 4, w += 4 * pitch) {
      add_four(sums + o, w, pitch, values, count);
    }
#endif
    for (; o < output_count; ++o, w += pitch) {
      sums[o] = dot(sums[o], w, values, count);
    }
  }
}
