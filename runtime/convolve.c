#include "runtime/arithmetic.h"

/* sum + zero_point * the sum of `count` weights. */
static uint32_t padded(uint32_t sum, const int8_t* weights, int32_t count, int32_t zero_point) {
  for (int32_t i = 0; i < count; ++i) {
    sum += (uint32_t)(weights[i] * zero_point);
  }
  return sum;
}

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
      const int32_t begin = cols.begin * channels; /* a row's taps lie side by side */
      const int32_t end = cols.end * channels;
      const int8_t* taps = weights->weights;
      int8_t* const out = patchnas_pixel(output, row, col);
      for (int32_t o = 0; o < output->channels; ++o) {
        uint32_t sum = (uint32_t)weights->biases[o];
        for (int32_t y = 0; y < kernel->height; ++y, taps += row_weights) {
          if (y < rows.begin || y >= rows.end) {
            sum = padded(sum, taps, row_weights, zero_point);
            continue;
          }
          const int8_t* const values =
              patchnas_pixel(input, rows.origin + y, cols.origin + cols.begin);
          sum = padded(sum, taps, begin, zero_point);
          sum = patchnas_dot(sum, taps + begin, values, end - begin);
          sum = padded(sum, taps + end, row_weights - end, zero_point);
        }
        out[o] = patchnas_finish(weights, o, sum);
      }
    }
  }
}
