#include "runtime/arithmetic.h"
#include "runtime/move.h"

void patchnas_copy_channels(int32_t from, int32_t to, int32_t count, int32_t fill,
                            const patchnas_window* input, const patchnas_window* rest,
                            const patchnas_window* output, patchnas_rect computed) {
  const int32_t behind = output->channels - to - count;
  const int32_t pitch = output->channels;
  const int32_t cols = computed.col_end - computed.col_begin;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    int8_t* const out = patchnas_pixel(output, row, computed.col_begin);
    if (rest == 0) {
      for (int32_t i = 0; i < cols; ++i) {
        patchnas_fill(out + i * pitch, to, (int8_t)fill);
        patchnas_fill(out + i * pitch + to + count, behind, (int8_t)fill);
      }
    } else if (patchnas_pixel(rest, row, computed.col_begin) != out) {
      const int8_t* const other = patchnas_pixel(rest, row, computed.col_begin);
      patchnas_move_pieces(out, pitch, other, pitch, to, cols);
      patchnas_move_pieces(out + to + count, pitch, other + to + count, pitch, behind, cols);
    }
    patchnas_move_pieces(out + to, pitch, patchnas_pixel(input, row, computed.col_begin) + from,
                         input->channels, count, cols);
  }
}
