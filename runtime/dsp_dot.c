/* The loop below needs every register, whatever the rest of a program is compiled with. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__arm__)
#pragma GCC optimize("O2", "omit-frame-pointer")
#endif

#include "runtime/simd.h"

#if defined(PATCHNAS_DSP)
#include "runtime/dsp_dot.h"

/* Four weights of one row. */
#define ROW(row, sum)                       \
  "ldr %[w], [%[" row                       \
  "]], #4 \n\t"                             \
  "sxtb16 %[e], %[w] \n\t"                  \
  "sxtb16 %[w], %[w], ror #8 \n\t"          \
  "smlad %[" sum "], %[e], %[even], %[" sum \
  "] \n\t"                                  \
  "smlad %[" sum "], %[w], %[odd], %[" sum "] \n\t"
/* Four weights of each. */
#define STEP                                                                           \
  "ldr %[odd], [%[values]], #4 \n\t"                                                   \
  "sxtb16 %[even], %[odd] \n\t"                                                        \
  "sxtb16 %[odd], %[odd], ror #8 \n\t" ROW("w0", "s0") ROW("w1", "s1") ROW("w2", "s2") \
      ROW("w3", "s3")

void patchnas_dsp_add_four(int32_t sums[4], const int8_t* const rows[4], const int8_t* values,
                           int32_t count) {
  const int8_t *w0 = rows[0], *w1 = rows[1], *w2 = rows[2], *w3 = rows[3];
  int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
  const int8_t* const end = values + (count & ~3);
  if (values < end) {
    const int32_t odd_words = count & 4;
    uint32_t w, e, even, odd;
    __asm__ volatile(
        "ldr %[w], %[odd_words] \n\t"
        "cmp %[w], #0 \n\t" /* the first of an odd number of words is the second of two */
        "bne 2f \n"
        "1: \n\t" STEP "2: \n\t" STEP
        "ldr %[w], %[end] \n\t"
        "cmp %[values], %[w] \n\t"
        "bne 1b \n\t"
        : [values] "+r"(values), [w0] "+r"(w0), [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3),
          [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [w] "=&r"(w), [e] "=&r"(e),
          [even] "=&r"(even), [odd] "=&r"(odd)
        : [odd_words] "m"(odd_words), [end] "m"(end)
        : "cc", "memory");
  }
  for (count &= 3; count > 0; --count) {
    const int32_t value = *values++;
    s0 = (int32_t)((uint32_t)s0 + (uint32_t)(*w0++ * value));
    s1 = (int32_t)((uint32_t)s1 + (uint32_t)(*w1++ * value));
    s2 = (int32_t)((uint32_t)s2 + (uint32_t)(*w2++ * value));
    s3 = (int32_t)((uint32_t)s3 + (uint32_t)(*w3++ * value));
  }
  sums[0] = s0;
  sums[1] = s1;
  sums[2] = s2;
  sums[3] = s3;
}
#undef STEP
#undef ROW
#else
typedef int patchnas_dsp_dot_is_empty; /* ISO C wants a declaration in every file */
#endif
