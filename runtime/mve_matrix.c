/* The loops below need every register, whatever the rest of a program is compiled with. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__arm__)
#pragma GCC optimize("O2", "omit-frame-pointer")
#endif

#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve_matrix.h"

/* Four weight rows that are computed together. */
typedef struct weight_rows {
  const int8_t *r0, *r1, *r2, *r3;
} weight_rows;

/* Bias and scale of four channels, and what is common to all. */
typedef struct group {
  patchnas_mve_scale scale;
  int32x4_t biases;
  int32_t zero_point;
  mve_pred16_t lanes;
} group;

/* What is multiplied with each row: `runs` runs of `terms` values. From the end of a run, rounded
 * up to 16 values, it is `next_values` and `next_weights` to the next. The loops below know where
 * each member is. */
typedef struct window_shape {
  int32_t terms, next_values, next_weights, pitch, runs;
} window_shape;

typedef enum run_count { kOneRun, kSeveralRuns } run_count;

typedef struct four_sums {
  int32_t s0, s1, s2, s3;
} four_sums;

/* Sums of two rows with each of three pixels. */
typedef struct pair_sums {
  int32_t a0, b0, a1, b1, a2, b2;
} pair_sums;

/* Sums are in even registers, pointers in odd ones. VLDRB moves a pointer on by 16, in the last,
 * predicated, iteration too. */
#define LOAD(q, at) "vldrb.8 " q ", [" at "], #16 \n\t"
#define PAIR_STEP(vmladav)                                                       \
  LOAD("q0", "r1")                                                               \
  LOAD("q1", "r3")                                                               \
  LOAD("q2", "r5")                                                               \
  vmladav " r0, q0, q2 \n\t" vmladav " r2, q1, q2 \n\t" LOAD("q2", "r9") vmladav \
      " r4, q0, q2 \n\t" vmladav " r6, q1, q2 \n\t" LOAD("q2", "r11") vmladav    \
      " r8, q0, q2 \n\t" vmladav " r10, q1, q2 \n\t"
#define FOUR_STEP(vmladav)                                                                        \
  LOAD("q0", "r1")                                                                                \
  LOAD("q1", "r3")                                                                                \
  vmladav " r0, q0, q1 \n\t" LOAD("q1", "r5") vmladav " r2, q0, q1 \n\t" LOAD("q1", "r9") vmladav \
      " r4, q0, q1 \n\t" LOAD("q1", "r11") vmladav " r6, q0, q1 \n\t"

PATCHNAS_ALWAYS_INLINE pair_sums multiply_pair(const int8_t* row_a, const int8_t* row_b,
                                               const int8_t* x, const window_shape* window,
                                               run_count runs) {
  register int32_t a0 __asm__("r0");
  register int32_t b0 __asm__("r2");
  register int32_t a1 __asm__("r4");
  register int32_t b1 __asm__("r6");
  register int32_t a2 __asm__("r8");
  register int32_t b2 __asm__("r10");
  register const int8_t* wa __asm__("r1") = row_a;
  register const int8_t* wb __asm__("r3") = row_b;
  register const int8_t* x0 __asm__("r5") = x;
#define PAIR_OPERANDS \
  "=&r"(a0), "=&r"(b0), "=&r"(a1), "=&r"(b1), "=&r"(a2), "=&r"(b2), "+&r"(wa), "+&r"(wb), "+&r"(x0)
  if (runs == kOneRun) { /* of more than 16 terms: the first 16 need no sums to add to */
    __asm__ volatile(
        "ldr r11, [%[window], #12] \n\t"
        "ldr lr, [%[window]] \n\t"
        "sub lr, lr, #16 \n\t"
        "add r9, r5, r11 \n\t"
        "add r11, r9, r11 \n\t" PAIR_STEP("vmladav.s8")
        "dlstp.8 lr, lr \n"
        "1: \n\t" PAIR_STEP("vmladava.s8")
        "letp lr, 1b"
        : PAIR_OPERANDS
        : [window] "r"(window)
        : "r9", "r11", "lr", "q0", "q1", "q2", "cc", "memory");
  } else {
    int32_t left;
    __asm__ volatile(
        "ldrd r11, %[left], [%[window], #12] \n\t"
        "movs r0, #0 \n\t"
        "movs r2, #0 \n\t"
        "movs r4, #0 \n\t"
        "movs r6, #0 \n\t"
        "mov r8, #0 \n\t"
        "mov r10, #0 \n\t"
        "add r9, r5, r11 \n\t"
        "add r11, r9, r11 \n"
        "1: \n\t"
        "ldr lr, [%[window]] \n\t"
        "dlstp.8 lr, lr \n"
        "2: \n\t" PAIR_STEP("vmladava.s8")
        "letp lr, 2b \n\t"
        "ldr lr, [%[window], #4] \n\t"
        "add r5, r5, lr \n\t"
        "add r9, r9, lr \n\t"
        "add r11, r11, lr \n\t"
        "ldr lr, [%[window], #8] \n\t"
        "add r1, r1, lr \n\t"
        "add r3, r3, lr \n\t"
        "subs %[left], %[left], #1 \n\t"
        "bne 1b"
        : PAIR_OPERANDS, [left] "=&r"(left)
        : [window] "r"(window)
        : "r9", "r11", "lr", "q0", "q1", "q2", "cc", "memory");
  }
#undef PAIR_OPERANDS
  const pair_sums s = {a0, b0, a1, b1, a2, b2};
  return s;
}

PATCHNAS_ALWAYS_INLINE four_sums multiply_four(const weight_rows* rows, const int8_t* values,
                                               const window_shape* window, run_count runs) {
  register int32_t s0 __asm__("r0");
  register int32_t s1 __asm__("r2");
  register int32_t s2 __asm__("r4");
  register int32_t s3 __asm__("r6");
  register const int8_t* x __asm__("r1") = values;
  register const int8_t* w0 __asm__("r3") = rows->r0;
  register const int8_t* w1 __asm__("r5") = rows->r1;
  register const int8_t* w2 __asm__("r9") = rows->r2;
  register const int8_t* w3 __asm__("r11") = rows->r3;
#define FOUR_OPERANDS \
  "=&r"(s0), "=&r"(s1), "=&r"(s2), "=&r"(s3), "+&r"(x), "+&r"(w0), "+&r"(w1), "+&r"(w2), "+&r"(w3)
  if (runs == kOneRun) {
    __asm__ volatile(
        "ldr lr, [%[window]] \n\t"
        "sub lr, lr, #16 \n\t" FOUR_STEP("vmladav.s8")
        "dlstp.8 lr, lr \n"
        "1: \n\t" FOUR_STEP("vmladava.s8")
        "letp lr, 1b"
        : FOUR_OPERANDS
        : [window] "r"(window)
        : "lr", "q0", "q1", "cc", "memory");
  } else {
    int32_t left;
    __asm__ volatile(
        "ldr %[left], [%[window], #16] \n\t"
        "movs r0, #0 \n\t"
        "movs r2, #0 \n\t"
        "movs r4, #0 \n\t"
        "movs r6, #0 \n"
        "1: \n\t"
        "ldr lr, [%[window]] \n\t"
        "dlstp.8 lr, lr \n"
        "2: \n\t" FOUR_STEP("vmladava.s8")
        "letp lr, 2b \n\t"
        "ldr lr, [%[window], #4] \n\t"
        "add r1, r1, lr \n\t"
        "ldr lr, [%[window], #8] \n\t"
        "add r3, r3, lr \n\t"
        "add r5, r5, lr \n\t"
        "add r9, r9, lr \n\t"
        "add r11, r11, lr \n\t"
        "subs %[left], %[left], #1 \n\t"
        "bne 1b"
        : FOUR_OPERANDS, [left] "=&r"(left)
        : [window] "r"(window)
        : "lr", "q0", "q1", "cc", "memory");
  }
#undef FOUR_OPERANDS
  const four_sums s = {s0, s1, s2, s3};
  return s;
}

/* Two lanes an instruction, which the intrinsics would set one by one. */
PATCHNAS_ALWAYS_INLINE int32x4_t even_lanes(int32_t lane0, int32_t lane2) {
  int32x4_t v;
  __asm__("vmov %q0[2], %q0[0], %1, %2" : "=w"(v) : "r"(lane0), "r"(lane2));
  return v;
}

PATCHNAS_ALWAYS_INLINE int32x4_t with_odd_lanes(int32x4_t v, int32_t lane1, int32_t lane3) {
  __asm__("vmov %q0[3], %q0[1], %1, %2" : "+w"(v) : "r"(lane1), "r"(lane3));
  return v;
}

/* Careful: any shifts, fewer than four channels. */
typedef enum care_taken { kFast, kCareful } care_taken;

PATCHNAS_ALWAYS_INLINE void store(const patchnas_weights* weights, const group* g, care_taken care,
                                  int8_t* out, int32x4_t products) {
  const int32x4_t sums = vaddq_s32(products, g->biases);
  if (care == kFast) {
    vstrbq_s32(out, patchnas_mve_finish_right(weights, g->scale, sums));
  } else {
    vstrbq_p_s32(out, patchnas_mve_finish(weights, g->scale, sums), g->lanes);
  }
}

/* At most 16 terms in one run: the weights stay in registers. */
PATCHNAS_ALWAYS_INLINE void few_terms(const patchnas_weights* weights, const group* g,
                                      care_taken care, const weight_rows* w, int32_t terms,
                                      const patchnas_mve_pixels* p, const int8_t* x, int8_t* out) {
  const mve_pred16_t bytes = vctp8q((uint32_t)terms);
  const int8x16_t w0 = vldrbq_z_s8(w->r0, bytes);
  const int8x16_t w1 = vldrbq_z_s8(w->r1, bytes);
  const int8x16_t w2 = vldrbq_z_s8(w->r2, bytes);
  const int8x16_t w3 = vldrbq_z_s8(w->r3, bytes);
  const int32_t pitch = p->pitch;
  const int32_t out_pitch = p->out_pitch;
  for (int32_t i = p->count; i > 0; --i, x += pitch, out += out_pitch) {
    const int8x16_t values = vldrbq_z_s8(x, bytes);
    const four_sums s = {vmladavq_s8(values, w0), vmladavq_s8(values, w1), vmladavq_s8(values, w2),
                         vmladavq_s8(values, w3)};
    store(weights, g, care, out, with_odd_lanes(even_lanes(s.s0, s.s2), s.s1, s.s3));
  }
}

PATCHNAS_ALWAYS_INLINE void line_of_pixels(const patchnas_weights* weights, const group* g,
                                           care_taken care, run_count runs, const weight_rows* w,
                                           const window_shape* window, const patchnas_mve_pixels* p,
                                           const int8_t* x, int8_t* out) {
  const int32_t pitch = p->pitch;
  const int32_t out_pitch = p->out_pitch;
  int32_t left = p->count;
  for (; left >= 3; left -= 3, x += 3 * pitch, out += out_pitch) {
    const pair_sums even = multiply_pair(w->r0, w->r2, x, window, runs);
    int32x4_t v0 = even_lanes(even.a0, even.b0);
    int32x4_t v1 = even_lanes(even.a1, even.b1);
    int32x4_t v2 = even_lanes(even.a2, even.b2);
    const pair_sums odd = multiply_pair(w->r1, w->r3, x, window, runs);
    v0 = with_odd_lanes(v0, odd.a0, odd.b0);
    v1 = with_odd_lanes(v1, odd.a1, odd.b1);
    v2 = with_odd_lanes(v2, odd.a2, odd.b2);
    store(weights, g, care, out, v0);
    out += out_pitch;
    store(weights, g, care, out, v1);
    out += out_pitch;
    store(weights, g, care, out, v2);
  }
  for (; left > 0; --left, x += pitch, out += out_pitch) {
    const four_sums s = multiply_four(w, x, window, runs);
    store(weights, g, care, out, with_odd_lanes(even_lanes(s.s0, s.s2), s.s1, s.s3));
  }
}

PATCHNAS_ALWAYS_INLINE void lines_of_pixels(const patchnas_weights* weights, const group* g,
                                            care_taken care, const weight_rows* w,
                                            const window_shape* window,
                                            const patchnas_mve_pixels* p, int8_t* out) {
  const int8_t* x = p->values;
  for (int32_t line = p->lines; line > 0; --line, x += p->line_pitch, out += p->out_line_pitch) {
    if (window->runs > 1) {
      line_of_pixels(weights, g, care, kSeveralRuns, w, window, p, x, out);
    } else if (window->terms > 16) {
      line_of_pixels(weights, g, care, kOneRun, w, window, p, x, out);
    } else {
      few_terms(weights, g, care, w, window->terms, p, x, out);
    }
  }
}

static __attribute__((noinline)) void fast_lines(const patchnas_weights* weights,
                                                 const group* group_of_rows, const weight_rows* w,
                                                 const window_shape* window,
                                                 const patchnas_mve_pixels* p, int8_t* out) {
  const group g = *group_of_rows;
  lines_of_pixels(weights, &g, kFast, w, window, p, out);
}

static __attribute__((noinline)) void careful_lines(const patchnas_weights* weights,
                                                    const group* group_of_rows,
                                                    const weight_rows* w,
                                                    const window_shape* window,
                                                    const patchnas_mve_pixels* p, int8_t* out) {
  const group g = *group_of_rows;
  lines_of_pixels(weights, &g, kCareful, w, window, p, out);
}

PATCHNAS_ALWAYS_INLINE int32_t sum_of_weights(int32_t sum, const int8_t* w, int32_t count) {
  for (; count > 0; count -= 16, w += 16) {
    sum = vaddvaq_s8(sum, vldrbq_z_s8(w, vctp8q((uint32_t)count)));
  }
  return sum;
}

/* The sum of a row's weights outside the image. */
static int32_t sum_outside(const patchnas_mve_pixels* p, const int8_t* row) {
  int32_t sum = 0;
  for (int32_t y = 0; y < p->runs; ++y, row += p->run_terms) {
    if (y < p->runs_begin || y >= p->runs_end) {
      sum = sum_of_weights(sum, row, p->run_terms);
    } else {
      sum = sum_of_weights(sum, row, p->begin);
      sum = sum_of_weights(sum, row + p->end, p->run_terms - p->end);
    }
  }
  return sum;
}

void patchnas_mve_multiply(const patchnas_weights* weights, const patchnas_mve_pixels* p,
                           int32_t out_channels) {
  const int32_t terms = p->end - p->begin;
  const int32_t rounded = (terms + 15) & ~15;
  const window_shape window = {terms, p->run_pitch - rounded, p->run_terms - rounded, p->pitch,
                               p->runs_end - p->runs_begin};
  const int32_t row_terms = p->run_terms * p->runs;
  const int clipped = window.runs < p->runs || terms < p->run_terms;
  const int8_t* row = weights->weights;
  for (int32_t o = 0; o < out_channels; o += 4, row += 4 * row_terms) {
    /* Rows beyond the last one are the last one again; what they give is not stored. */
    const int32_t last = out_channels - 1 - o;
    weight_rows w = {row, row + (last < 1 ? last : 1) * row_terms,
                     row + (last < 2 ? last : 2) * row_terms,
                     row + (last < 3 ? last : 3) * row_terms};
    group g;
    g.lanes = vctp32q((uint32_t)(out_channels - o));
    g.scale.multiplier = vldrwq_z_s32(weights->multipliers + o, g.lanes);
    g.scale.shift = vldrbq_z_s32(weights->shifts + o, g.lanes);
    g.biases = vldrwq_z_s32(weights->biases + o, g.lanes);
    if (clipped) {
      const int32x4_t outside =
          with_odd_lanes(even_lanes(sum_outside(p, w.r0), sum_outside(p, w.r2)),
                         sum_outside(p, w.r1), sum_outside(p, w.r3));
      g.biases = vmlaq_n_s32(g.biases, outside, weights->input_zero_point);
      const int32_t inside = p->runs_begin * p->run_terms + p->begin;
      w = (weight_rows){w.r0 + inside, w.r1 + inside, w.r2 + inside, w.r3 + inside};
    }
    /* Lanes beyond the last channel have a shift of 0. */
    if (vcmpltq_n_s32(g.scale.shift, 0) == 0xffff) {
      fast_lines(weights, &g, &w, &window, p, p->out + o);
    } else {
      careful_lines(weights, &g, &w, &window, p, p->out + o);
    }
  }
}
#else
typedef int patchnas_mve_matrix_is_empty; /* ISO C wants a declaration in every file */
#endif
