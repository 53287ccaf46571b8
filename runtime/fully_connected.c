#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve_dot.h"

void patchnas_fully_connected(const patchnas_weights* weights, const int8_t* input,
                              int32_t input_count, int8_t* output, int32_t output_count) {
  const patchnas_window window = {output, 0, 0, 1, output_count};
  const patchnas_rect all = {0, 1, 0, 1};
  patchnas_mve_multiply_pixel(weights, input, input_count, output, output_count);
  patchnas_mve_clamp(weights->clamp_min, weights->clamp_max, &window, window.channels, all);
}

#elif defined(PATCHNAS_DSP)
#include "runtime/dsp_dot.h"

/* Clamped to int8 alone, or further. */
PATCHNAS_ALWAYS_INLINE int8_t finish(const patchnas_weights* weights, int32_t output,
                                     int32_t products, int is_short) {
  const uint32_t sum = (uint32_t)weights->biases[output] + (uint32_t)products;
  return is_short && patchnas_dsp_is_exact(weights, output)
             ? patchnas_dsp_finish(patchnas_dsp_scale_of(weights, output), (int32_t)(2 * sum))
             : patchnas_finish(weights, output, sum);
}

/* Four outputs at a time, of the rest three together. */
void patchnas_fully_connected(const patchnas_weights* weights, const int8_t* input,
                              int32_t input_count, int8_t* output, int32_t output_count) {
  const patchnas_window window = {output, 0, 0, 1, output_count};
  const patchnas_rect all = {0, 1, 0, 1};
  const int is_short = input_count <= PATCHNAS_DSP_MOST_TERMS;
  const int8_t* row = weights->weights;
  int32_t o = 0;
  for (int32_t count = 4; output_count - o >= 3; o += count, row += count * input_count) {
    const int8_t* rows[4];
    int32_t sums[4];
    sums[0] = sums[1] = sums[2] = sums[3] = 0;
    count = output_count - o >= 4 ? 4 : 3;
    patchnas_dsp_four_rows(rows, row, input_count, count);
    patchnas_dsp_add_four(sums, rows, input, input_count);
    for (int32_t i = 0; i < count; ++i) {
      output[o + i] = finish(weights, o + i, sums[i], is_short);
    }
  }
  for (; o < output_count; ++o, row += input_count) {
    output[o] = finish(weights, o, patchnas_dsp_dot(0, row, input, input_count), is_short);
  }
  patchnas_dsp_clamp(weights->clamp_min, weights->clamp_max, &window, window.channels, all);
}

#else
#include "runtime/arithmetic.h"

void patchnas_fully_connected(const patchnas_weights* weights, const int8_t* input,
                              int32_t input_count, int8_t* output, int32_t output_count) {
  for (int32_t o = 0; o < output_count; ++o) {
    const uint32_t sum = patchnas_dot((uint32_t)weights->biases[o],
                                      weights->weights + o * input_count, input, input_count);
    output[o] = patchnas_finish(weights, o, sum);
  }
}
#endif
