#include "runtime/arithmetic.h"

void patchnas_lookup(const patchnas_table* table, const patchnas_window* input,
                     const patchnas_window* output, patchnas_rect computed) {
  const int32_t run = (computed.col_end - computed.col_begin) * output->channels;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    const int8_t* const in = patchnas_pixel(input, row, computed.col_begin);
    int8_t* const out = patchnas_pixel(output, row, computed.col_begin);
    for (int32_t i = 0; i < run; ++i) {
      out[i] = table->values[(uint8_t)in[i]];
    }
  }
}
