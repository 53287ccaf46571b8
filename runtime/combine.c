#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve.h"
#elif defined(PATCHNAS_DSP)
#include "runtime/dsp_sum.h"
#else
#include "runtime/arithmetic.h"
#endif

/* `pixels` runs of `count` values, all of which lie side by side but those of `b`, the same for
 * each run. */
typedef struct runs {
  const int8_t *a, *b;
  int8_t* out;
  int32_t pixels, count;
} runs;

#if defined(PATCHNAS_MVE)
/* Four values of an input, shifted left and scaled. */
PATCHNAS_ALWAYS_INLINE int32x4_t scaled(const patchnas_add_scales* s, int input, int32x4_t steps,
                                        int32_t left_shift) {
  return patchnas_mve_requantise(vshlq_r_s32(steps, left_shift), vdupq_n_s32(s->multipliers[input]),
                                 vdupq_n_s32(s->shifts[input]));
}

PATCHNAS_ALWAYS_INLINE int32x4_t rescaled(const patchnas_add_scales* s, int32x4_t values) {
  return patchnas_mve_requantise(values, vdupq_n_s32(s->output_multiplier),
                                 vdupq_n_s32(s->output_shift));
}

/* Of differences to the zero points, at the output's scale. */
PATCHNAS_ALWAYS_INLINE int32x4_t combined(const patchnas_add_scales* s, int operation, int32_t sign,
                                          int32x4_t a, int32x4_t b) {
  switch (operation) {
    case PATCHNAS_MULTIPLY:
      return rescaled(s, vmulq_s32(a, b));
    case PATCHNAS_PRELU:
      return vpselq_s32(rescaled(s, vmulq_s32(a, b)), scaled(s, 0, a, 0), vcmpltq_n_s32(a, 0));
    case PATCHNAS_SQUARED_DIFFERENCE: {
      const int32x4_t difference = vsubq_s32(scaled(s, 0, a, 7), scaled(s, 1, b, 7));
      return rescaled(s, vmulq_s32(difference, difference));
    }
    case PATCHNAS_ADD:
      return rescaled(s, vaddq_s32(scaled(s, 0, a, 20), scaled(s, 1, b, 20)));
    default: /* `sign` is -1 where the first is subtracted from the second */
      return rescaled(s, vmulq_n_s32(vsubq_s32(scaled(s, 0, a, 20), scaled(s, 1, b, 20)), sign));
  }
}

PATCHNAS_ALWAYS_INLINE void combine_runs(const patchnas_add_scales* scales, int operation,
                                         int32_t sign, const runs* r) {
  const patchnas_add_scales s = *scales;
  const int8_t* a = r->a;
  int8_t* out = r->out;
  for (int32_t pixel = r->pixels; pixel > 0; --pixel, a += r->count, out += r->count) {
    for (int32_t i = 0; i < r->count; i += 4) {
      const mve_pred16_t lanes = vctp32q((uint32_t)(r->count - i));
      const int32x4_t first = vsubq_n_s32(vldrbq_z_s32(a + i, lanes), s.zero_points[0]);
      const int32x4_t second = vsubq_n_s32(vldrbq_z_s32(r->b + i, lanes), s.zero_points[1]);
      const int32x4_t values = combined(&s, operation, sign, first, second);
      vstrbq_p_s32(out + i, patchnas_mve_saturate(vaddq_n_s32(values, s.output_zero_point)), lanes);
    }
  }
}

/* A multiple of four products that are shifted right, of one run. */
static void multiply_fours(const patchnas_add_scales* s, const runs* r, int32_t count) {
  const int32x4_t multiplier = vdupq_n_s32(s->output_multiplier);
  const int32x4_t shift = vdupq_n_s32(s->output_shift);
  const int32_t minus_a = -s->zero_points[0];
  const int32_t minus_b = -s->zero_points[1];
  const int32_t zero_point = s->output_zero_point;
  const int8_t *a = r->a, *b = r->b;
  int8_t* out = r->out;
  for (int32_t left = count >> 2; left > 0; --left, a += 4, b += 4, out += 4) {
    const int32x4_t first = vaddq_n_s32(vldrbq_s32(a), minus_a);
    const int32x4_t second = vaddq_n_s32(vldrbq_s32(b), minus_b);
    const int32x4_t values =
        patchnas_mve_requantise_right(vmulq_s32(first, second), multiplier, shift);
    vstrbq_s32(out, patchnas_mve_saturate(vaddq_n_s32(values, zero_point)));
  }
}

static void multiply(const patchnas_add_scales* s, const runs* r) {
  const int32_t fours = s->output_shift < 0 ? r->count & ~3 : 0;
  for (int32_t i = 0; i < r->pixels; ++i) {
    runs part = {r->a + i * r->count, r->b, r->out + i * r->count, 1, r->count};
    multiply_fours(s, &part, fours);
    part.a += fours;
    part.b += fours;
    part.out += fours;
    part.count -= fours;
    combine_runs(s, PATCHNAS_MULTIPLY, 1, &part);
  }
}

#define CHOOSE(instruction)                          \
  __asm__ volatile(                                  \
      "dlstp.8 lr, %[count] \n"                      \
      "1: \n\t"                                      \
      "vldrb.8 q0, [%[a]], #16 \n\t"                 \
      "vldrb.8 q1, [%[b]], #16 \n\t" instruction     \
      " q0, q0, q1 \n\t"                             \
      "vstrb.8 q0, [%[out]], #16 \n\t"               \
      "letp lr, 1b"                                  \
      : [a] "+&r"(a), [b] "+&r"(b), [out] "+&r"(out) \
      : [count] "r"(count)                           \
      : "q0", "q1", "lr", "cc", "memory")

/* `count` > 0. */
static void choose_bytes(int is_maximum, const int8_t* a, const int8_t* b, int8_t* out,
                         int32_t count) {
  if (is_maximum) {
    CHOOSE("vmax.s8");
  } else {
    CHOOSE("vmin.s8");
  }
}
#undef CHOOSE

static void combine(const patchnas_combination* c, const runs* r) {
  const patchnas_add_scales* const s = &c->scales;
  switch (c->operation) {
    case PATCHNAS_MAXIMUM:
    case PATCHNAS_MINIMUM:
      for (int32_t i = 0; i < r->pixels; ++i) {
        choose_bytes(c->operation == PATCHNAS_MAXIMUM, r->a + i * r->count, r->b,
                     r->out + i * r->count, r->count);
      }
      return;
    case PATCHNAS_MULTIPLY:
      multiply(s, r);
      return;
    case PATCHNAS_PRELU:
      combine_runs(s, PATCHNAS_PRELU, 1, r);
      return;
    case PATCHNAS_SQUARED_DIFFERENCE:
      combine_runs(s, PATCHNAS_SQUARED_DIFFERENCE, 1, r);
      return;
    case PATCHNAS_ADD:
      combine_runs(s, PATCHNAS_ADD, 1, r);
      return;
    default:
      combine_runs(s, PATCHNAS_SUBTRACT, c->operation == PATCHNAS_SUBTRACT ? 1 : -1, r);
  }
}

#else
/* Not inlined: there are many loops below. */
#if defined(__GNUC__)
__attribute__((noinline))
#endif
static int32_t
requantised(int32_t value, int32_t multiplier, int32_t shift) {
  return patchnas_requantise(value, multiplier, shift);
}

static int32_t difference(const patchnas_add_scales* s, int input, int8_t value) {
  return value - s->zero_points[input];
}

static int32_t scaled(const patchnas_add_scales* s, int input, int8_t value, int32_t left_shift) {
  return requantised(difference(s, input, value) * (1 << left_shift), s->multipliers[input],
                     s->shifts[input]);
}

static int8_t finished(const patchnas_add_scales* s, int32_t value) {
  return patchnas_clamp(value + s->output_zero_point, s->clamp_min, s->clamp_max);
}

/* At the output's scale. */
static int8_t rescaled(const patchnas_add_scales* s, int32_t value) {
  return finished(s, requantised(value, s->output_multiplier, s->output_shift));
}

static int8_t prelu(const patchnas_add_scales* s, int8_t a, int8_t b) {
  const int32_t value = difference(s, 0, a);
  return value < 0 ? rescaled(s, value * difference(s, 1, b))
                   : finished(s, requantised(value, s->multipliers[0], s->shifts[0]));
}

static int8_t squared_difference(const patchnas_add_scales* s, int8_t a, int8_t b) {
  const int32_t value = scaled(s, 0, a, 7) - scaled(s, 1, b, 7);
  return rescaled(s, value * value);
}

/* `first` and `second` are 1 or -1. */
static int8_t sum(const patchnas_add_scales* s, int8_t a, int8_t b, int32_t first, int32_t second) {
  return rescaled(s, first * scaled(s, 0, a, 20) + second * scaled(s, 1, b, 20));
}

/* One pixel, or a run of them where both are tensors, from value `i` on. */
static void combine_run(const patchnas_combination* c, const int8_t* a, const int8_t* b,
                        int8_t* out, int32_t i, int32_t count) {
  const patchnas_add_scales* const s = &c->scales;
  switch (c->operation) {
    case PATCHNAS_MULTIPLY:
      for (; i < count; ++i) {
        out[i] = rescaled(s, difference(s, 0, a[i]) * difference(s, 1, b[i]));
      }
      return;
    case PATCHNAS_PRELU:
      for (; i < count; ++i) {
        out[i] = prelu(s, a[i], b[i]);
      }
      return;
    case PATCHNAS_MAXIMUM:
      for (; i < count; ++i) {
        out[i] = a[i] > b[i] ? a[i] : b[i];
      }
      return;
    case PATCHNAS_MINIMUM:
      for (; i < count; ++i) {
        out[i] = a[i] < b[i] ? a[i] : b[i];
      }
      return;
    case PATCHNAS_SQUARED_DIFFERENCE:
      for (; i < count; ++i) {
        out[i] = squared_difference(s, a[i], b[i]);
      }
      return;
    default: {
      const int32_t first = c->operation == PATCHNAS_SUBTRACT_FROM ? -1 : 1;
      const int32_t second = c->operation == PATCHNAS_SUBTRACT ? -1 : 1;
      for (; i < count; ++i) {
        out[i] = sum(s, a[i], b[i], first, second);
      }
    }
  }
}

#if defined(PATCHNAS_DSP)
/* What the loops over words, which have no cases, compute with. */
typedef struct word_scales {
  patchnas_dsp_sum_scales sum; /* of products its output */
  int half;                    /* the input with the factor 1/2 */
  int32_t half_factor;         /* 2^20 or -2^20 */
  int32_t other_sign;          /* 0, or -1 where the other is subtracted */
  int32_t minus_zero_points[2];
} word_scales;

typedef enum word_loop { kNoWords, kSums, kProducts, kMaxima, kMinima } word_loop;

static word_loop choose_loop(const patchnas_combination* c, word_scales* w) {
  const patchnas_add_scales* const s = &c->scales;
  switch (c->operation) {
    case PATCHNAS_MAXIMUM:
      return kMaxima;
    case PATCHNAS_MINIMUM:
      return kMinima;
    case PATCHNAS_PRELU:
    case PATCHNAS_SQUARED_DIFFERENCE:
      return kNoWords;
    case PATCHNAS_MULTIPLY:
      if (!patchnas_dsp_can_scale(s->output_multiplier, s->output_shift)) {
        return kNoWords;
      }
      w->minus_zero_points[0] = -s->zero_points[0];
      w->minus_zero_points[1] = -s->zero_points[1];
      w->sum.output =
          patchnas_dsp_make_scale(s->output_multiplier, s->output_shift, s->output_zero_point);
      return kProducts;
    default: {
      const int negated = c->operation == PATCHNAS_SUBTRACT        ? 1
                          : c->operation == PATCHNAS_SUBTRACT_FROM ? 0
                                                                   : -1;
      w->half = patchnas_dsp_is_half(s, 0) ? 0 : 1;
      w->half_factor = w->half == negated ? -(1 << 20) : 1 << 20;
      w->other_sign = negated >= 0 && w->half != negated ? -1 : 0;
      return patchnas_dsp_choose_sum(s, w->half, &w->sum) ? kSums : kNoWords;
    }
  }
}

PATCHNAS_ALWAYS_INLINE int8_t product(const word_scales* w, uint32_t a, uint32_t b, int byte) {
  const int32_t first = patchnas_dsp_difference(a, byte, w->minus_zero_points[0]);
  const int32_t second = patchnas_dsp_difference(b, byte, w->minus_zero_points[1]);
  return patchnas_dsp_finish(w->sum.output, 2 * first * second);
}

PATCHNAS_ALWAYS_INLINE int8_t word_sum(const word_scales* w, uint32_t half, uint32_t other,
                                       int byte) {
  const int32_t a = patchnas_dsp_difference(half, byte, w->sum.minus_half_zero_point);
  const int32_t b = patchnas_dsp_difference(other, byte, w->sum.minus_other_zero_point);
  const int32_t doubled_b =
      patchnas_dsp_rescale_doubled(w->sum.other, (int32_t)((uint32_t)b << w->sum.other_shift));
  return patchnas_dsp_finish(w->sum.output,
                             a * w->half_factor + (doubled_b ^ w->other_sign) - w->other_sign);
}

static void store_word(int8_t* to, uint32_t word) { ((patchnas_unaligned_word*)to)->value = word; }

/* `count` values, whole words. */
static __attribute__((noinline)) void add_words(const word_scales* scales, const int8_t* half,
                                                const int8_t* other, int8_t* out, int32_t count) {
  const word_scales w = *scales;
  for (const int8_t* const end = half + count; half < end; half += 4, other += 4, out += 4) {
    const uint32_t a = patchnas_load_word(half);
    const uint32_t b = patchnas_load_word(other);
    out[0] = word_sum(&w, a, b, 0);
    out[1] = word_sum(&w, a, b, 1);
    out[2] = word_sum(&w, a, b, 2);
    out[3] = word_sum(&w, a, b, 3);
  }
}

static __attribute__((noinline)) void multiply_words(const word_scales* scales, const int8_t* a,
                                                     const int8_t* b, int8_t* out, int32_t count) {
  const word_scales w = *scales;
  for (const int8_t* const end = a + count; a < end; a += 4, b += 4, out += 4) {
    const uint32_t first = patchnas_load_word(a);
    const uint32_t second = patchnas_load_word(b);
    out[0] = product(&w, first, second, 0);
    out[1] = product(&w, first, second, 1);
    out[2] = product(&w, first, second, 2);
    out[3] = product(&w, first, second, 3);
  }
}

static __attribute__((noinline)) void choose_words(word_loop loop, const int8_t* a, const int8_t* b,
                                                   int8_t* out, int32_t count) {
  const int8_t* const end = a + count;
  if (loop == kMaxima) {
    for (; a < end; a += 4, b += 4, out += 4) {
      store_word(out, patchnas_dsp_larger_bytes(patchnas_load_word(a), patchnas_load_word(b)));
    }
  } else {
    for (; a < end; a += 4, b += 4, out += 4) {
      store_word(out, patchnas_dsp_smaller_bytes(patchnas_load_word(a), patchnas_load_word(b)));
    }
  }
}

static void combine(const patchnas_combination* c, const runs* r) {
  word_scales w;
  const word_loop loop = choose_loop(c, &w);
  const int32_t words = loop == kNoWords ? 0 : r->count & ~3;
  const int8_t *a = r->a, *b = r->b;
  int8_t* out = r->out;
  for (int32_t pixel = r->pixels; pixel > 0; --pixel, a += r->count, out += r->count) {
    if (loop == kSums) {
      add_words(&w, w.half == 0 ? a : b, w.half == 0 ? b : a, out, words);
    } else if (loop == kProducts) {
      multiply_words(&w, a, b, out, words);
    } else if (loop != kNoWords) {
      choose_words(loop, a, b, out, words);
    }
    combine_run(c, a, b, out, words, r->count);
  }
}
#else
static void combine(const patchnas_combination* c, const runs* r) {
  const int8_t* a = r->a;
  int8_t* out = r->out;
  for (int32_t pixel = r->pixels; pixel > 0; --pixel, a += r->count, out += r->count) {
    combine_run(c, a, r->b, out, 0, r->count);
  }
}
#endif
#endif

void patchnas_combine(const patchnas_combination* combination, const patchnas_window* a,
                      const patchnas_window* b, const patchnas_window* output,
                      patchnas_rect computed) {
  const int32_t channels = output->channels;
  const int32_t cols = computed.col_end - computed.col_begin;
  const int is_constant = combination->constants != 0;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    const runs r = {
        .a = patchnas_pixel(a, row, computed.col_begin),
        .b = is_constant ? combination->constants : patchnas_pixel(b, row, computed.col_begin),
        .out = patchnas_pixel(output, row, computed.col_begin),
        .pixels = is_constant ? cols : 1,
        .count = is_constant ? channels : cols * channels};
    combine(combination, &r);
  }
#if defined(PATCHNAS_MVE) || defined(PATCHNAS_DSP)
  const int is_choice =
      combination->operation == PATCHNAS_MAXIMUM || combination->operation == PATCHNAS_MINIMUM;
#if defined(PATCHNAS_MVE)
  if (!is_choice) {
    patchnas_mve_clamp(combination->scales.clamp_min, combination->scales.clamp_max, output,
                       output->channels, computed);
  }
#else
  if (!is_choice) {
    patchnas_dsp_clamp(combination->scales.clamp_min, combination->scales.clamp_max, output,
                       output->channels, computed);
  }
#endif
#endif
}
