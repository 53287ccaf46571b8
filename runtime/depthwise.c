#include "runtime/arithmetic.h"

void patchnas_depthwise(const patchnas_kernel* kernel, const patchnas_weights* weights,
                        const patchnas_window* input, const patchnas_window* output,
                        patchnas_rect computed) {
  const int32_t channels = input->channels;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    const patchnas_taps rows = patchnas_row_taps(kernel, row);
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      const patchnas_taps cols = patchnas_col_taps(kernel, col);
      int8_t* const out = patchnas_pixel(output, row, col);
      for (int32_t c = 0; c < channels; ++c) {
        uint32_t sum = (uint32_t)weights->biases[c];
        const int8_t* weight = weights->weights + c;
        for (int32_t y = 0; y < kernel->height; ++y) {
          for (int32_t x = 0; x < kernel->width; ++x, weight += channels) {
            const int inside = y >= rows.begin && y < rows.end && x >= cols.begin && x < cols.end;
            const int32_t value = inside
                                      ? patchnas_pixel(input, rows.origin + y, cols.origin + x)[c]
                                      : weights->input_zero_point;
            sum += (uint32_t)(*weight * value);
          }
        }
        out[c] = patchnas_finish(weights, c, sum);
      }
    }
  }
}
