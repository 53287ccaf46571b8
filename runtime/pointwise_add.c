#include "runtime/patchnas_runtime.h"

void patchnas_pointwise_add(const patchnas_weights* weights, const patchnas_add_scales* scales,
                            const patchnas_window* input, const patchnas_window* addend,
                            const patchnas_window* output, patchnas_rect computed,
                            int8_t* scratch) {
  const int32_t cols = computed.col_end - computed.col_begin;
  if (cols == input->width && cols == addend->width && cols == output->width) {
    /* All pixels lie side by side: the first row goes on into the next ones. */
    computed.col_end = computed.col_begin + (computed.row_end - computed.row_begin) * cols;
    computed.row_end = computed.row_begin + 1;
  }
  patchnas_rect part;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    part.row_begin = row;
    part.row_end = row + 1;
    for (int32_t col = computed.col_begin; col < computed.col_end; col = part.col_end) {
      part.col_begin = col;
      part.col_end = computed.col_end - col > PATCHNAS_POINTWISE_ADD_PIXELS
                         ? col + PATCHNAS_POINTWISE_ADD_PIXELS
                         : computed.col_end;
      const patchnas_window sums = {scratch, row, col, part.col_end - col, output->channels};
      patchnas_pointwise(weights, input, &sums, part);
      patchnas_add(scales, &sums, addend, output, part);
    }
  }
}
