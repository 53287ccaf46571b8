/* Loops that copy bytes are to stay loops: there may be no memcpy. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

#include "runtime/arithmetic.h"

static void copy_run(const int8_t* from, int8_t* to, int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    to[i] = from[i];
  }
}

static void fill_run(int32_t value, int8_t* to, int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    to[i] = (int8_t)value;
  }
}

void patchnas_copy_channels(int32_t from, int32_t to, int32_t count, int32_t fill,
                            const patchnas_window* input, const patchnas_window* rest,
                            const patchnas_window* output, patchnas_rect computed) {
  const int32_t behind = output->channels - to - count;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      int8_t* const out = patchnas_pixel(output, row, col);
      const int8_t* const other = rest != 0 ? patchnas_pixel(rest, row, col) : 0;
      if (other == 0) {
        fill_run(fill, out, to);
        fill_run(fill, out + to + count, behind);
      } else if (other != out) {
        copy_run(other, out, to);
        copy_run(other + to + count, out + to + count, behind);
      }
      copy_run(patchnas_pixel(input, row, col) + from, out + to, count);
    }
  }
}
