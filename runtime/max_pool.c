#include "runtime/arithmetic.h"

void patchnas_max_pool(const patchnas_kernel* kernel, int32_t clamp_min, int32_t clamp_max,
                       const patchnas_window* input, const patchnas_window* output,
                       patchnas_rect computed) {
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    const patchnas_taps rows = patchnas_row_taps(kernel, row);
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      const patchnas_taps cols = patchnas_col_taps(kernel, col);
      int8_t* const out = patchnas_pixel(output, row, col);
      for (int32_t c = 0; c < output->channels; ++c) {
        int32_t largest = INT8_MIN;
        for (int32_t y = rows.begin; y < rows.end; ++y) {
          for (int32_t x = cols.begin; x < cols.end; ++x) {
            const int32_t value = patchnas_pixel(input, rows.origin + y, cols.origin + x)[c];
            largest = value > largest ? value : largest;
          }
        }
        out[c] = patchnas_clamp(largest, clamp_min, clamp_max);
      }
    }
  }
}
