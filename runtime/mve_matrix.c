#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve_matrix.h"

typedef struct sums {
  int32_t s0, s1, s2, s3;
} sums;

/* Weight rows that are computed together. */
typedef struct rows {
  const int8_t *r0, *r1, *r2, *r3;
} rows;

/* Adds `count` products with each of four weight rows, and moves the rows on by as many. */
PATCHNAS_ALWAYS_INLINE sums add_products(sums s, const int8_t* values, rows* weights,
                                         int32_t count) {
  rows w = *weights;
  for (int32_t i = count >> 4; i > 0; --i) {
    const int8x16_t x = vldrbq_s8(values);
    s.s0 = vmladavaq_s8(s.s0, x, vldrbq_s8(w.r0));
    s.s1 = vmladavaq_s8(s.s1, x, vldrbq_s8(w.r1));
    s.s2 = vmladavaq_s8(s.s2, x, vldrbq_s8(w.r2));
    s.s3 = vmladavaq_s8(s.s3, x, vldrbq_s8(w.r3));
    values += 16;
    w.r0 += 16;
    w.r1 += 16;
    w.r2 += 16;
    w.r3 += 16;
  }
  const int32_t left = count & 15;
  if (left != 0) {
    const mve_pred16_t rest = vctp8q((uint32_t)left);
    const int8x16_t x = vldrbq_z_s8(values, rest);
    s.s0 = vmladavaq_s8(s.s0, x, vldrbq_z_s8(w.r0, rest));
    s.s1 = vmladavaq_s8(s.s1, x, vldrbq_z_s8(w.r1, rest));
    s.s2 = vmladavaq_s8(s.s2, x, vldrbq_z_s8(w.r2, rest));
    s.s3 = vmladavaq_s8(s.s3, x, vldrbq_z_s8(w.r3, rest));
    w.r0 += left;
    w.r1 += left;
    w.r2 += left;
    w.r3 += left;
  }
  *weights = w;
  return s;
}

PATCHNAS_ALWAYS_INLINE int32_t sum_of_weights(const int8_t* w, int32_t count) {
  int32_t sum = 0;
  for (; count > 0; count -= 16, w += 16) {
    sum = vaddvaq_s8(sum, vldrbq_z_s8(w, vctp8q((uint32_t)count)));
  }
  return sum;
}

PATCHNAS_ALWAYS_INLINE rows advanced(rows w, int32_t by) {
  const rows r = {w.r0 + by, w.r1 + by, w.r2 + by, w.r3 + by};
  return r;
}

/* Adds zero_point * the sum of `count` weights: taps outside the image. */
static sums add_padding(sums s, rows w, int32_t zero_point, int32_t count) {
  s.s0 += zero_point * sum_of_weights(w.r0, count);
  s.s1 += zero_point * sum_of_weights(w.r1, count);
  s.s2 += zero_point * sum_of_weights(w.r2, count);
  s.s3 += zero_point * sum_of_weights(w.r3, count);
  return s;
}

static __attribute__((noinline)) sums add_clipped(sums s, const patchnas_mve_pixels* p,
                                                  const int8_t* values, rows w,
                                                  int32_t zero_point) {
  for (int32_t y = 0; y < p->runs; ++y, w = advanced(w, p->run_terms)) {
    if (y < p->runs_begin || y >= p->runs_end) {
      s = add_padding(s, w, zero_point, p->run_terms);
      continue;
    }
    s = add_padding(s, w, zero_point, p->begin);
    rows inside = advanced(w, p->begin);
    s = add_products(s, values, &inside, p->end - p->begin);
    s = add_padding(s, advanced(w, p->end), zero_point, p->run_terms - p->end);
    values += p->run_pitch;
  }
  return s;
}

/* Bias and scale of four channels, and what is common to all. */
typedef struct group {
  patchnas_mve_scale scale;
  int32x4_t biases;
  mve_pred16_t lanes;
} group;

PATCHNAS_ALWAYS_INLINE void store(const patchnas_weights* w, const group* g, int8_t* out, sums s) {
  int32x4_t products; /* two lanes an instruction, which the intrinsics would set one by one */
  __asm__(
      "vmov %q0[2], %q0[0], %1, %3 \n\t"
      "vmov %q0[3], %q0[1], %2, %4"
      : "=&w"(products)
      : "r"(s.s0), "r"(s.s1), "r"(s.s2), "r"(s.s3));
  const int32x4_t values = patchnas_mve_finish(w, g->scale, vaddq_s32(products, g->biases));
  vstrbq_p_s32(out, values, g->lanes);
}

/* At most 16 terms: the weights stay in registers. */
static __attribute__((noinline)) void multiply_few(const patchnas_weights* weights,
                                                   const group* group_of_rows, rows w,
                                                   const patchnas_mve_pixels* p, int8_t* out,
                                                   int32_t out_channels) {
  const group g = *group_of_rows;
  const mve_pred16_t terms = vctp8q((uint32_t)p->run_terms);
  const int8x16_t w0 = vldrbq_z_s8(w.r0, terms);
  const int8x16_t w1 = vldrbq_z_s8(w.r1, terms);
  const int8x16_t w2 = vldrbq_z_s8(w.r2, terms);
  const int8x16_t w3 = vldrbq_z_s8(w.r3, terms);
  const int8_t* values = p->values;
  for (int32_t i = p->count; i > 0; --i, values += p->pitch, out += out_channels) {
    const int8x16_t x = vldrbq_z_s8(values, terms);
    const sums s = {vmladavq_s8(x, w0), vmladavq_s8(x, w1), vmladavq_s8(x, w2), vmladavq_s8(x, w3)};
    store(weights, &g, out, s);
  }
}

/* One run: pointwise. */
static __attribute__((noinline)) void multiply_run(const patchnas_weights* weights,
                                                   const group* group_of_rows, rows w,
                                                   const patchnas_mve_pixels* p, int8_t* out,
                                                   int32_t out_channels) {
  const group g = *group_of_rows;
  const int32_t terms = p->run_terms;
  const int32_t pitch = p->pitch;
  const int8_t* values = p->values;
  for (int32_t i = p->count; i > 0; --i, values += pitch, out += out_channels) {
    const sums none = {0, 0, 0, 0};
    rows at = w;
    store(weights, &g, out, add_products(none, values, &at, terms));
  }
}

static __attribute__((noinline)) void multiply_many(const patchnas_weights* weights,
                                                    const group* group_of_rows, rows w,
                                                    const patchnas_mve_pixels* p, int8_t* out,
                                                    int32_t out_channels) {
  const group g = *group_of_rows;
  const int32_t runs = p->runs;
  const int32_t run_terms = p->run_terms;
  const int32_t run_pitch = p->run_pitch;
  const int8_t* first = p->values;
  for (int32_t i = p->count; i > 0; --i, first += p->pitch, out += out_channels) {
    const int8_t* values = first;
    rows at = w;
    sums s = {0, 0, 0, 0};
    for (int32_t y = runs; y > 0; --y, values += run_pitch) {
      s = add_products(s, values, &at, run_terms);
    }
    store(weights, &g, out, s);
  }
}

void patchnas_mve_multiply(const patchnas_weights* weights, const patchnas_mve_pixels* p,
                           int8_t* out, int32_t out_channels) {
  const int32_t terms = p->run_terms * p->runs;
  const int clipped =
      p->begin > 0 || p->end < p->run_terms || p->runs_begin > 0 || p->runs_end < p->runs;
  const int8_t* row = weights->weights;
  for (int32_t o = 0; o < out_channels; o += 4, row += 4 * terms) {
    /* Rows beyond the last one are the last one again; what they give is not stored. */
    const int32_t last = out_channels - 1 - o;
    const rows w = {row, row + (last < 1 ? last : 1) * terms, row + (last < 2 ? last : 2) * terms,
                    row + (last < 3 ? last : 3) * terms};
    group g;
    g.lanes = vctp32q((uint32_t)(out_channels - o));
    g.scale.multiplier = vldrwq_z_s32(weights->multipliers + o, g.lanes);
    g.scale.shift = vldrbq_z_s32(weights->shifts + o, g.lanes);
    g.biases = vldrwq_z_s32(weights->biases + o, g.lanes);
    if (clipped) {
      for (int32_t i = 0; i < p->count; ++i) {
        const sums none = {0, 0, 0, 0};
        const sums s = add_clipped(none, p, p->values + i * p->pitch, w, weights->input_zero_point);
        store(weights, &g, out + o + i * out_channels, s);
      }
    } else if (p->runs == 1 && terms <= 16) {
      multiply_few(weights, &g, w, p, out + o, out_channels);
    } else if (p->runs == 1) {
      multiply_run(weights, &g, w, p, out + o, out_channels);
    } else {
      multiply_many(weights, &g, w, p, out + o, out_channels);
    }
  }
}
#else
typedef int patchnas_mve_matrix_is_empty; /* ISO C wants a declaration in every file */
#endif
