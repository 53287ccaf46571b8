#include "runtime/arithmetic.h"

static int32_t difference(const patchnas_add_scales* s, int input, int8_t value) {
  return value - s->zero_points[input];
}

static int32_t scaled(const patchnas_add_scales* s, int input, int8_t value, int32_t left_shift) {
  return patchnas_requantise(difference(s, input, value) * (1 << left_shift), s->multipliers[input],
                             s->shifts[input]);
}

static int8_t finished(const patchnas_add_scales* s, int32_t value) {
  return patchnas_clamp(value + s->output_zero_point, s->clamp_min, s->clamp_max);
}

/* At the output's scale. */
static int8_t rescaled(const patchnas_add_scales* s, int32_t value) {
  return finished(s, patchnas_requantise(value, s->output_multiplier, s->output_shift));
}

static int8_t prelu(const patchnas_add_scales* s, int8_t a, int8_t b) {
  const int32_t value = difference(s, 0, a);
  return value < 0 ? rescaled(s, value * difference(s, 1, b))
                   : finished(s, patchnas_requantise(value, s->multipliers[0], s->shifts[0]));
}

static int8_t squared_difference(const patchnas_add_scales* s, int8_t a, int8_t b) {
  const int32_t value = scaled(s, 0, a, 7) - scaled(s, 1, b, 7);
  return rescaled(s, value * value);
}

static int8_t sum_or_difference(const patchnas_combination* c, int8_t a, int8_t b) {
  const int32_t first = scaled(&c->scales, 0, a, 20);
  const int32_t second = scaled(&c->scales, 1, b, 20);
  return rescaled(&c->scales, c->operation == PATCHNAS_ADD        ? first + second
                              : c->operation == PATCHNAS_SUBTRACT ? first - second
                                                                  : second - first);
}

/* One pixel, or a run of them where both are tensors. */
static void combine_run(const patchnas_combination* c, const int8_t* a, const int8_t* b,
                        int8_t* out, int32_t count) {
  const patchnas_add_scales* const s = &c->scales;
  if (c->operation == PATCHNAS_MULTIPLY) {
    for (int32_t i = 0; i < count; ++i) {
      out[i] = rescaled(s, difference(s, 0, a[i]) * difference(s, 1, b[i]));
    }
    return;
  }
  for (int32_t i = 0; i < count; ++i) {
    switch (c->operation) {
      case PATCHNAS_PRELU:
        out[i] = prelu(s, a[i], b[i]);
        break;
      case PATCHNAS_MAXIMUM:
        out[i] = a[i] > b[i] ? a[i] : b[i];
        break;
      case PATCHNAS_MINIMUM:
        out[i] = a[i] < b[i] ? a[i] : b[i];
        break;
      case PATCHNAS_SQUARED_DIFFERENCE:
        out[i] = squared_difference(s, a[i], b[i]);
        break;
      default:
        out[i] = sum_or_difference(c, a[i], b[i]);
    }
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
