#include "runtime/arithmetic.h"

void patchnas_convolve(const patchnas_kernel* kernel, const patchnas_weights* weights,
                       const patchnas_window* input, const patchnas_window* output,
                       patchnas_rect computed) {
  const int32_t channels = input->channels;
  const int32_t row_weights = kernel->width * channels;
  const int32_t zero_point = weights->input_zero_point;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    const patchnas_taps rows = patchnas_row_taps(kernel, row);
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      const patchnas_taps cols = patchnas_col_taps(kernel, col);
      const int32_t run = (cols.end - cols.begin) * channels; /* a row's taps lie side by side */
      int8_t* const out = patchnas_pixel(output, row, col);
      for (int32_t o = 0; o < output->channels; ++o) {
        const int8_t* const filter = weights->weights + o * kernel->height * row_weights;
        int32_t sum = 0;
        for (int32_t y = rows.begin; y < rows.end; ++y) {
          const int8_t* const values =
              patchnas_pixel(input, rows.origin + y, cols.origin + cols.begin);
          const int8_t* const taps = filter + y * row_weights + cols.begin * channels;
          for (int32_t i = 0; i < run; ++i) {
            sum += taps[i] * (values[i] - zero_point);
          }
        }
        out[o] = patchnas_finish(weights, o, sum);
      }
    }
  }
}
