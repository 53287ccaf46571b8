/* The loops below need every register, whatever the rest of a program is compiled with. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__arm__)
#pragma GCC optimize("O2", "omit-frame-pointer")
#endif

#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve_matrix.h"
#include "runtime/mve_rows.h"

/* Bias and scale of four channels, and what is common to all. */
typedef struct group {
  patchnas_mve_scale scale;
  int32x4_t biases;
  int32_t zero_point;
  mve_pred16_t lanes;
} group;

/* Sums of two rows with each of three pixels. */
typedef struct pair_sums {
  int32_t a0, b0, a1, b1, a2, b2;
} pair_sums;

#define PAIR_STEP(vmladav)                                                                    \
  PATCHNAS_MVE_LOAD("q0", "r1")                                                               \
  PATCHNAS_MVE_LOAD("q1", "r3")                                                               \
  PATCHNAS_MVE_LOAD("q2", "r5")                                                               \
  vmladav " r0, q0, q2 \n\t" vmladav " r2, q1, q2 \n\t" PATCHNAS_MVE_LOAD("q2", "r9") vmladav \
      " r4, q0, q2 \n\t" vmladav " r6, q1, q2 \n\t" PATCHNAS_MVE_LOAD("q2", "r11") vmladav    \
      " r8, q0, q2 \n\t" vmladav " r10, q1, q2 \n\t"
PATCHNAS_ALWAYS_INLINE pair_sums multiply_pair(const int8_t* row_a, const int8_t* row_b,
                                               const int8_t* x, const patchnas_mve_window* window,
                                               patchnas_mve_runs runs) {
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
  if (runs == kPatchnasOneRun) { /* of more than 16 terms: the first 16 need no sums to add to */
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
                                      care_taken care, const patchnas_mve_rows* w, int32_t terms,
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
    const patchnas_mve_four s = {vmladavq_s8(values, w0), vmladavq_s8(values, w1),
                                 vmladavq_s8(values, w2), vmladavq_s8(values, w3)};
    store(weights, g, care, out, patchnas_mve_four_lanes(s));
  }
}

PATCHNAS_ALWAYS_INLINE void line_of_pixels(const patchnas_weights* weights, const group* g,
                                           care_taken care, patchnas_mve_runs runs,
                                           const patchnas_mve_rows* w,
                                           const patchnas_mve_window* window,
                                           const patchnas_mve_pixels* p, const int8_t* x,
                                           int8_t* out) {
  const int32_t pitch = p->pitch;
  const int32_t out_pitch = p->out_pitch;
  int32_t left = p->count;
  for (; left >= 3; left -= 3, x += 3 * pitch, out += out_pitch) {
    const pair_sums even = multiply_pair(w->r0, w->r2, x, window, runs);
    int32x4_t v0 = patchnas_mve_even_lanes(even.a0, even.b0);
    int32x4_t v1 = patchnas_mve_even_lanes(even.a1, even.b1);
    int32x4_t v2 = patchnas_mve_even_lanes(even.a2, even.b2);
    const pair_sums odd = multiply_pair(w->r1, w->r3, x, window, runs);
    v0 = patchnas_mve_with_odd_lanes(v0, odd.a0, odd.b0);
    v1 = patchnas_mve_with_odd_lanes(v1, odd.a1, odd.b1);
    v2 = patchnas_mve_with_odd_lanes(v2, odd.a2, odd.b2);
    store(weights, g, care, out, v0);
    out += out_pitch;
    store(weights, g, care, out, v1);
    out += out_pitch;
    store(weights, g, care, out, v2);
  }
  for (; left > 0; --left, x += pitch, out += out_pitch) {
    const patchnas_mve_four s = patchnas_mve_multiply_four(w, x, window, runs);
    store(weights, g, care, out, patchnas_mve_four_lanes(s));
  }
}

PATCHNAS_ALWAYS_INLINE void lines_of_pixels(const patchnas_weights* weights, const group* g,
                                            care_taken care, const patchnas_mve_rows* w,
                                            const patchnas_mve_window* window,
                                            const patchnas_mve_pixels* p, int8_t* out) {
  const int8_t* x = p->values;
  for (int32_t line = p->lines; line > 0; --line, x += p->line_pitch, out += p->out_line_pitch) {
    if (window->runs > 1) {
      line_of_pixels(weights, g, care, kPatchnasSeveralRuns, w, window, p, x, out);
    } else if (window->terms > 16) {
      line_of_pixels(weights, g, care, kPatchnasOneRun, w, window, p, x, out);
    } else {
      few_terms(weights, g, care, w, window->terms, p, x, out);
    }
  }
}

static __attribute__((noinline)) void fast_lines(const patchnas_weights* weights,
                                                 const group* group_of_rows,
                                                 const patchnas_mve_rows* w,
                                                 const patchnas_mve_window* window,
                                                 const patchnas_mve_pixels* p, int8_t* out) {
  const group g = *group_of_rows;
  lines_of_pixels(weights, &g, kFast, w, window, p, out);
}

static __attribute__((noinline)) void careful_lines(const patchnas_weights* weights,
                                                    const group* group_of_rows,
                                                    const patchnas_mve_rows* w,
                                                    const patchnas_mve_window* window,
                                                    const patchnas_mve_pixels* p, int8_t* out) {
  const group g = *group_of_rows;
  lines_of_pixels(weights, &g, kCareful, w, window, p, out);
}

/* The sum of a row's weights outside the image. */
static int32_t sum_outside(const patchnas_mve_pixels* p, const int8_t* row) {
  int32_t sum = 0;
  for (int32_t y = 0; y < p->runs; ++y, row += p->weights_run_pitch) {
    if (y < p->runs_begin || y >= p->runs_end) {
      sum = patchnas_mve_sum_of_weights(sum, row, p->run_terms);
    } else {
      sum = patchnas_mve_sum_of_weights(sum, row, p->begin);
      sum = patchnas_mve_sum_of_weights(sum, row + p->end, p->run_terms - p->end);
    }
  }
  return sum;
}

void patchnas_mve_multiply(const patchnas_weights* weights, const patchnas_mve_pixels* p,
                           int32_t out_channels) {
  const int32_t runs = p->end > p->begin ? p->runs_end - p->runs_begin : 0;
  const int32_t terms = runs > 0 ? p->end - p->begin : 0; /* 0 where nothing is inside */
  const int32_t rounded = (terms + 15) & ~15;
  const patchnas_mve_window window = {terms, p->run_pitch - rounded, p->weights_run_pitch - rounded,
                                      p->pitch, runs};
  const int32_t pitch = p->weights_pitch;
  const int clipped = runs < p->runs || terms < p->run_terms;
  const int8_t* row = weights->weights;
  for (int32_t o = 0; o < out_channels; o += 4, row += 4 * pitch) {
    patchnas_mve_rows w = patchnas_mve_four_rows(row, pitch, out_channels - o);
    group g;
    g.lanes = vctp32q((uint32_t)(out_channels - o));
    g.scale.multiplier = vldrwq_z_s32(weights->multipliers + o, g.lanes);
    g.scale.shift = vldrbq_z_s32(weights->shifts + o, g.lanes);
    g.biases = vldrwq_z_s32(weights->biases + o, g.lanes);
    if (clipped) {
      const int32x4_t outside = patchnas_mve_with_odd_lanes(
          patchnas_mve_even_lanes(sum_outside(p, w.r0), sum_outside(p, w.r2)), sum_outside(p, w.r1),
          sum_outside(p, w.r3));
      g.biases = vmlaq_n_s32(g.biases, outside, weights->input_zero_point);
      const int32_t inside = p->runs_begin * p->weights_run_pitch + p->begin;
      w = (patchnas_mve_rows){w.r0 + inside, w.r1 + inside, w.r2 + inside, w.r3 + inside};
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
