/* Sums of four rows of weights with values of one pixel, sixteen terms at a time. Only where
 * PATCHNAS_MVE is defined. */
#ifndef PATCHNAS_RUNTIME_MVE_ROWS_H
#define PATCHNAS_RUNTIME_MVE_ROWS_H

#include "runtime/mve.h"

/* Four weight rows that are computed together. */
typedef struct patchnas_mve_rows {
  const int8_t *r0, *r1, *r2, *r3;
} patchnas_mve_rows;

/* What is multiplied with each row: `runs` runs of `terms` values. From the end of a run, rounded
 * up to 16 values, it is `next_values` and `next_weights` to the next. The loops below know where
 * each member is. */
typedef struct patchnas_mve_window {
  int32_t terms, next_values, next_weights, pitch, runs;
} patchnas_mve_window;

typedef enum patchnas_mve_runs { kPatchnasOneRun, kPatchnasSeveralRuns } patchnas_mve_runs;

typedef struct patchnas_mve_four {
  int32_t s0, s1, s2, s3;
} patchnas_mve_four;

/* Sums are in even registers, pointers in odd ones. VLDRB moves a pointer on by 16, in the last,
 * predicated, iteration too. */
#define PATCHNAS_MVE_LOAD(q, at) "vldrb.8 " q ", [" at "], #16 \n\t"
#define PATCHNAS_MVE_FOUR_STEP(vmladav)                            \
  PATCHNAS_MVE_LOAD("q0", "r1")                                    \
  PATCHNAS_MVE_LOAD("q1", "r3")                                    \
  vmladav " r0, q0, q1 \n\t" PATCHNAS_MVE_LOAD("q1", "r5") vmladav \
      " r2, q0, q1 \n\t" PATCHNAS_MVE_LOAD("q1", "r9") vmladav     \
      " r4, q0, q1 \n\t" PATCHNAS_MVE_LOAD("q1", "r11") vmladav " r6, q0, q1 \n\t"

PATCHNAS_ALWAYS_INLINE patchnas_mve_four
patchnas_mve_multiply_four(const patchnas_mve_rows* rows, const int8_t* values,
                           const patchnas_mve_window* window, patchnas_mve_runs runs) {
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
  if (runs == kPatchnasOneRun) {
    __asm__ volatile(
        "ldr lr, [%[window]] \n\t"
        "sub lr, lr, #16 \n\t" PATCHNAS_MVE_FOUR_STEP("vmladav.s8")
        "dlstp.8 lr, lr \n"
        "1: \n\t" PATCHNAS_MVE_FOUR_STEP("vmladava.s8")
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
        "2: \n\t" PATCHNAS_MVE_FOUR_STEP("vmladava.s8")
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
  const patchnas_mve_four s = {s0, s1, s2, s3};
  return s;
}

/* Two lanes an instruction, which the intrinsics would set one by one. */
PATCHNAS_ALWAYS_INLINE int32x4_t patchnas_mve_even_lanes(int32_t lane0, int32_t lane2) {
  int32x4_t v;
  __asm__("vmov %q0[2], %q0[0], %1, %2" : "=w"(v) : "r"(lane0), "r"(lane2));
  return v;
}

PATCHNAS_ALWAYS_INLINE int32x4_t patchnas_mve_with_odd_lanes(int32x4_t v, int32_t lane1,
                                                             int32_t lane3) {
  __asm__("vmov %q0[3], %q0[1], %1, %2" : "+w"(v) : "r"(lane1), "r"(lane3));
  return v;
}

PATCHNAS_ALWAYS_INLINE int32x4_t patchnas_mve_four_lanes(patchnas_mve_four s) {
  return patchnas_mve_with_odd_lanes(patchnas_mve_even_lanes(s.s0, s.s2), s.s1, s.s3);
}

PATCHNAS_ALWAYS_INLINE int32_t patchnas_mve_sum_of_weights(int32_t sum, const int8_t* w,
                                                           int32_t count) {
  for (; count > 0; count -= 16, w += 16) {
    sum = vaddvaq_s8(sum, vldrbq_z_s8(w, vctp8q((uint32_t)count)));
  }
  return sum;
}

/* The four rows from `row` on, `pitch` bytes apart. Rows beyond the last of `count` are the last
 * one again; what they give is not stored. */
PATCHNAS_ALWAYS_INLINE patchnas_mve_rows patchnas_mve_four_rows(const int8_t* row, int32_t pitch,
                                                                int32_t count) {
  const int32_t last = count - 1;
  const patchnas_mve_rows rows = {row, row + (last < 1 ? last : 1) * pitch,
                                  row + (last < 2 ? last : 2) * pitch,
                                  row + (last < 3 ? last : 3) * pitch};
  return rows;
}

#endif
