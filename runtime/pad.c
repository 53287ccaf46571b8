#include "runtime/arithmetic.h"
#include "runtime/move.h"

static int32_t within(int32_t x, int32_t low, int32_t high) {
  return x < low ? low : x > high ? high : x;
}

/* Where rows of the output follow each other, the margins between two of the input are one. */
void patchnas_pad(const patchnas_margins* m, const patchnas_window* input,
                  const patchnas_window* output, patchnas_rect computed) {
  const int32_t channels = output->channels;
  const int32_t cols = computed.col_end - computed.col_begin;
  const int32_t first = within(m->left, computed.col_begin, computed.col_end);
  const int32_t end = within(m->left + m->input_width, first, computed.col_end);
  const int32_t bytes = (end - first) * channels;
  const int32_t before = (first - computed.col_begin) * channels;
  const int32_t gap = (output->width - cols) * channels;
  const int8_t fill = (int8_t)m->fill;
  int8_t* out = patchnas_pixel(output, computed.row_begin, computed.col_begin);
  int8_t* done = out;
  for (int32_t row = computed.row_begin - m->top; row < computed.row_end - m->top; ++row) {
    if (row >= 0 && row < m->input_height && bytes > 0) {
      patchnas_fill(done, (int32_t)(out + before - done), fill);
      patchnas_move(out + before, patchnas_pixel(input, row, first - m->left), bytes);
      done = out + before + bytes;
    }
    out += cols * channels;
    if (gap > 0) {
      patchnas_fill(done, (int32_t)(out - done), fill);
      out += gap;
      done = out;
    }
  }
  patchnas_fill(done, (int32_t)(out - done), fill);
}
