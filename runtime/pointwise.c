#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve_matrix.h"

void patchnas_pointwise(const patchnas_weights* weights, const patchnas_window* input,
                        const patchnas_window* output, patchnas_rect computed) {
  const int32_t channels = input->channels;
  int32_t rows = computed.row_end - computed.row_begin;
  int32_t cols = computed.col_end - computed.col_begin;
  if (cols == input->width && cols == output->width) {
    cols *= rows;
    rows = 1;
  }
  for (int32_t row = computed.row_begin; rows > 0; --rows, ++row) {
    const patchnas_mve_pixels pixels = {patchnas_pixel(input, row, computed.col_begin),
                                        channels,
                                        cols,
                                        0,
                                        channels,
                                        1,
                                        0,
                                        channels,
                                        0,
                                        1};
    patchnas_mve_multiply(weights, &pixels, patchnas_pixel(output, row, computed.col_begin),
                          output->channels);
  }
  patchnas_mve_clamp(weights->clamp_min, weights->clamp_max, output, computed);
}

#else
#include "runtime/arithmetic.h"

static void portable(const patchnas_weights* weights, const patchnas_window* input,
                     const patchnas_window* output, patchnas_rect computed) {
  const int32_t channels = input->channels;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      const int8_t* const in = patchnas_pixel(input, row, col);
      int8_t* const out = patchnas_pixel(output, row, col);
      for (int32_t o = 0; o < output->channels; ++o) {
        const uint32_t sum = patchnas_dot((uint32_t)weights->biases[o],
                                          weights->weights + o * channels, in, channels);
        out[o] = patchnas_finish(weights, o, sum);
      }
    }
  }
}

#if defined(PATCHNAS_DSP)
#include "runtime/dsp_matrix.h"

/* Pixels that lie side by side in memory. */
static void run_of_pixels(const patchnas_weights* weights, const int8_t* in, int32_t channels,
                          int8_t* out, int32_t out_channels, int32_t pixels,
                          patchnas_dsp_exact exact) {
  if (channels > PATCHNAS_DSP_COLUMN_TERMS) {
    for (int32_t done = 0; done < pixels; done += 2) {
      /* The last pair overlaps the one before it; a single pixel is computed twice. */
      const int32_t first = pixels - done >= 2 ? done : pixels > 1 ? pixels - 2 : 0;
      const patchnas_dsp_pair_of_columns pair = {
          in + first * channels, pixels > 1 ? channels : 0, 0, channels, 1, 0, 1};
      patchnas_dsp_multiply_pair(weights, &pair, out + first * out_channels,
                                 pixels > 1 ? out_channels : 0, out_channels, exact);
    }
    return;
  }
  patchnas_dsp_columns columns;
  for (int32_t done = 0; done < pixels; done += 4) {
    const int32_t first = pixels - done >= 4 ? done : pixels > 4 ? pixels - 4 : 0;
    for (int32_t i = 0; i < 4; ++i) {
      const int32_t pixel = first + i < pixels ? first + i : pixels - 1;
      patchnas_dsp_set_column(&columns, i, in + pixel * channels, channels);
    }
    patchnas_dsp_multiply_columns(weights, &columns, channels, out + first * out_channels,
                                  out_channels, pixels, out_channels, exact);
  }
}

void patchnas_pointwise(const patchnas_weights* weights, const patchnas_window* input,
                        const patchnas_window* output, patchnas_rect computed) {
  const int32_t channels = input->channels;
  if (channels > PATCHNAS_DSP_MOST_TERMS) {
    portable(weights, input, output, computed);
    return;
  }
  const patchnas_dsp_exact exact =
      patchnas_dsp_are_exact(weights, 0, output->channels) ? kPatchnasAllExact : kPatchnasSomeExact;
  int32_t rows = computed.row_end - computed.row_begin;
  int32_t cols = computed.col_end - computed.col_begin;
  if (cols == input->width && cols == output->width) {
    cols *= rows;
    rows = 1;
  }
  for (int32_t row = 0; row < rows; ++row) {
    run_of_pixels(weights, patchnas_pixel(input, computed.row_begin + row, computed.col_begin),
                  channels, patchnas_pixel(output, computed.row_begin + row, computed.col_begin),
                  output->channels, cols, exact);
  }
  patchnas_dsp_clamp(weights->clamp_min, weights->clamp_max, output, computed);
}

#else
void patchnas_pointwise(const patchnas_weights* weights, const patchnas_window* input,
                        const patchnas_window* output, patchnas_rect computed) {
  portable(weights, input, output, computed);
}
#endif
#endif
