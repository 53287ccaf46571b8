#include "runtime/arithmetic.h"

void patchnas_average_pool(const patchnas_kernel* kernel, int32_t clamp_min, int32_t clamp_max,
                           const patchnas_window* input, const patchnas_window* output,
                           patchnas_rect computed) {
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    const patchnas_taps rows = patchnas_row_taps(kernel, row);
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      const patchnas_taps cols = patchnas_col_taps(kernel, col);
      const int32_t count = (rows.end - rows.begin) * (cols.end - cols.begin);
      int8_t* const out = patchnas_pixel(output, row, col);
      for (int32_t c = 0; c < output->channels; ++c) {
        int32_t sum = 0;
        for (int32_t y = rows.begin; y < rows.end; ++y) {
          for (int32_t x = cols.begin; x < cols.end; ++x) {
            sum += patchnas_pixel(input, rows.origin + y, cols.origin + x)[c];
          }
        }
        /* Rounds to nearest, ties away from zero; pixels outside the image do not count. */
        const int32_t mean = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
        out[c] = patchnas_clamp(mean, clamp_min, clamp_max);
      }
    }
  }
}
