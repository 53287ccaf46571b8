#include "runtime/arithmetic.h"

static int32_t difference(const patchnas_add_scales* s, int input, int8_t value) {
  return value - s->zero_points[input];
}

static int32_t scaled(const patchnas_add_scales* s, int input, int8_t value) {
  return patchnas_requantise(difference(s, input, value) * (1 << 20), s->multipliers[input],
                             s->shifts[input]);
}

static int8_t finished(const patchnas_add_scales* s, int32_t value) {
  const int32_t result = patchnas_requantise(value, s->output_multiplier, s->output_shift);
  return patchnas_clamp(result + s->output_zero_point, s->clamp_min, s->clamp_max);
}

/* One pixel, or a run of them where both are tensors. */
static void combine_run(const patchnas_combination* c, const int8_t* a, const int8_t* b,
                        int8_t* out, int32_t count) {
  const patchnas_add_scales* const s = &c->scales;
  if (c->operation == PATCHNAS_MULTIPLY) {
    for (int32_t i = 0; i < count; ++i) {
      out[i] = finished(s, difference(s, 0, a[i]) * difference(s, 1, b[i]));
    }
    return;
  }
  for (int32_t i = 0; i < count; ++i) {
    const int32_t first = scaled(s, 0, a[i]);
    const int32_t second = scaled(s, 1, b[i]);
    out[i] = finished(s, c->operation == PATCHNAS_ADD        ? first + second
                         : c->operation == PATCHNAS_SUBTRACT ? first - second
                                                             : second - first);
  }
}

void patchnas_combine(const patchnas_combination* combination, const patchnas_window* a,
                      const patchnas_window* b, const patchnas_window* output,
                      patchnas_rect computed) {
  const int32_t channels = output->channels;
  const int32_t cols = computed.col_end - computed.col_begin;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    const int8_t* in = patchnas_pixel(a, row, computed.col_begin);
    int8_t* out = patchnas_pixel(output, row, computed.col_begin);
    if (combination->constants == 0) {
      combine_run(combination, in, patchnas_pixel(b, row, computed.col_begin), out,
                  cols * channels);
      continue;
    }
    for (int32_t col = 0; col < cols; ++col, in += channels, out += channels) {
      combine_run(combination, in, combination->constants, out, channels);
    }
  }
}
