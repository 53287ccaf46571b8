#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve_matrix.h"

void patchnas_fully_connected(const patchnas_weights* weights, const int8_t* input,
                              int32_t input_count, int8_t* output, int32_t output_count) {
  const patchnas_mve_pixels pixel = {.values = input,
                                     .out = output,
                                     .count = 1,
                                     .pitch = 0,
                                     .out_pitch = 0,
                                     .lines = 1,
                                     .line_pitch = 0,
                                     .out_line_pitch = 0,
                                     .run_pitch = 0,
                                     .run_terms = input_count,
                                     .runs = 1,
                                     .begin = 0,
                                     .end = input_count,
                                     .runs_begin = 0,
                                     .runs_end = 1};
  const patchnas_window window = {output, 0, 0, 1, output_count};
  const patchnas_rect all = {0, 1, 0, 1};
  patchnas_mve_multiply(weights, &pixel, output_count);
  patchnas_mve_clamp(weights->clamp_min, weights->clamp_max, &window, all);
}

#else

#if defined(PATCHNAS_DSP)
#include "runtime/dsp.h"
#else
#include "runtime/arithmetic.h"
#endif

void patchnas_fully_connected(const patchnas_weights* weights, const int8_t* input,
                              int32_t input_count, int8_t* output, int32_t output_count) {
  for (int32_t o = 0; o < output_count; ++o) {
    const int8_t* const row = weights->weights + o * input_count;
#if defined(PATCHNAS_DSP)
    const uint32_t products = (uint32_t)patchnas_dsp_dot(0, row, input, input_count);
#else
    const uint32_t products = patchnas_dot(0, row, input, input_count);
#endif
    output[o] = patchnas_finish(weights, o, (uint32_t)weights->biases[o] + products);
  }
}
#endif
