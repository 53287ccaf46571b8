#include "runtime/arithmetic.h"

enum { kParts = 1 << 10 }; /* of the way from one position to the next */

static int8_t rounded(int32_t sum) {
#if defined(PATCHNAS_SINGLE_ROUNDING)
  return (int8_t)((sum + kParts * kParts / 2) >> 20);
#else
  const int32_t half = sum > 0 ? kParts * kParts / 2 : -(kParts * kParts / 2);
  return (int8_t)((sum + half) / (kParts * kParts));
#endif
}

/* One output pixel between the pixels of two rows, `second` channels after those of the first. */
static void interpolate(const int8_t* above, const int8_t* below, const patchnas_sample* col,
                        int32_t row_part, int32_t channels, int8_t* out) {
  const int32_t left = col->first * channels;
  const int32_t right = col->second * channels;
  for (int32_t c = 0; c < channels; ++c) {
    const int32_t upper = above[left + c] * (kParts - col->part) + above[right + c] * col->part;
    const int32_t lower = below[left + c] * (kParts - col->part) + below[right + c] * col->part;
    out[c] = rounded(upper * (kParts - row_part) + lower * row_part);
  }
}

void patchnas_resize(const patchnas_resizing* resizing, const patchnas_window* input,
                     const patchnas_window* output, patchnas_rect computed) {
  const int32_t channels = output->channels;
  for (int32_t y = computed.row_begin; y < computed.row_end; ++y) {
    const patchnas_sample row = resizing->rows[y];
    const int8_t* const above = patchnas_pixel(input, row.first, 0);
    const int8_t* const below = patchnas_pixel(input, row.second, 0);
    int8_t* out = patchnas_pixel(output, y, computed.col_begin);
    for (int32_t x = computed.col_begin; x < computed.col_end; ++x, out += channels) {
      const patchnas_sample* const col = &resizing->cols[x];
      if (row.part != 0 || col->part != 0) {
        interpolate(above, below, col, row.part, channels, out);
        continue;
      }
      const int8_t* const nearest = above + col->first * channels;
      for (int32_t c = 0; c < channels; ++c) {
        out[c] = nearest[c];
      }
    }
  }
}
