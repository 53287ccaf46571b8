#include "runtime/arithmetic.h"

static int32_t scaled(const patchnas_add_scales* s, int input, int8_t value) {
  const int32_t shifted = (value - s->zero_points[input]) * (1 << 20);
  return patchnas_requantise(shifted, s->multipliers[input], s->shifts[input]);
}

void patchnas_add(const patchnas_add_scales* scales, const patchnas_window* a,
                  const patchnas_window* b, const patchnas_window* output, patchnas_rect computed) {
  const int32_t run = (computed.col_end - computed.col_begin) * output->channels;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    const int8_t* const in_a = patchnas_pixel(a, row, computed.col_begin);
    const int8_t* const in_b = patchnas_pixel(b, row, computed.col_begin);
    int8_t* const out = patchnas_pixel(output, row, computed.col_begin);
    for (int32_t i = 0; i < run; ++i) {
      const int32_t sum =
          patchnas_requantise(scaled(scales, 0, in_a[i]) + scaled(scales, 1, in_b[i]),
                              scales->output_multiplier, scales->output_shift);
      out[i] =
          patchnas_clamp(sum + scales->output_zero_point, scales->clamp_min, scales->clamp_max);
    }
  }
}
