/* The loops below need every register, whatever the rest of a program is compiled with. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__arm__)
#pragma GCC optimize("O2", "omit-frame-pointer")
#endif

#include "runtime/simd.h"

#if defined(PATCHNAS_DSP)
#include "runtime/dsp_matrix.h"

typedef struct sums {
  int32_t s0, s1, s2, s3;
} sums;

/* Adds `words` * 4 products with each of four columns; the compiler would load the columns with
 * more than two instructions. */
PATCHNAS_ALWAYS_INLINE sums add_products(sums s, const int8_t** weights, const int16x2_t** columns,
                                         int32_t words) {
#define STEP                            \
  "ldr %[w], [%[wp]], #4 \n\t"          \
  "ldmia %[xp]!, {r4, r5, r6, r8} \n\t" \
  "sxtb16 %[e], %[w] \n\t"              \
  "smlad %[s0], r4, %[e], %[s0] \n\t"   \
  "smlad %[s1], r5, %[e], %[s1] \n\t"   \
  "smlad %[s2], r6, %[e], %[s2] \n\t"   \
  "smlad %[s3], r8, %[e], %[s3] \n\t"   \
  "ldmia %[xp]!, {r4, r5, r6, r8} \n\t" \
  "sxtb16 %[w], %[w], ror #8 \n\t"      \
  "smlad %[s0], r4, %[w], %[s0] \n\t"   \
  "smlad %[s1], r5, %[w], %[s1] \n\t"   \
  "smlad %[s2], r6, %[w], %[s2] \n\t"   \
  "smlad %[s3], r8, %[w], %[s3] \n\t"
  uint32_t w;
  int16x2_t e;
  int32_t pairs = words >> 1;
#define OPERANDS                                                                         \
  [w] "=&r"(w), [e] "=&r"(e), [wp] "+r"(*weights), [xp] "+r"(*columns), [s0] "+r"(s.s0), \
      [s1] "+r"(s.s1), [s2] "+r"(s.s2), [s3] "+r"(s.s3)
  if (words & 1) {
    __asm__ volatile(STEP:OPERANDS : : "r4", "r5", "r6", "r8", "memory");
  }
  if (pairs != 0) {
    __asm__ volatile("1: \n\t" STEP STEP
                     "subs %[n], %[n], #1 \n\t"
                     "bne 1b \n\t"
                     : OPERANDS, [n] "+r"(pairs)
                     :
                     : "r4", "r5", "r6", "r8", "memory", "cc");
  }
  return s;
#undef STEP
#undef OPERANDS
}

/* Adds up to three products with each of four columns. */
PATCHNAS_ALWAYS_INLINE sums add_word(sums s, uint32_t word, const int16x2_t* columns) {
  const int16x2_t even = patchnas_even_bytes(word);
  const int16x2_t odd = patchnas_odd_bytes(word);
  s.s0 = __smlad(columns[4], odd, __smlad(columns[0], even, s.s0));
  s.s1 = __smlad(columns[5], odd, __smlad(columns[1], even, s.s1));
  s.s2 = __smlad(columns[6], odd, __smlad(columns[2], even, s.s2));
  s.s3 = __smlad(columns[7], odd, __smlad(columns[3], even, s.s3));
  return s;
}

/* For twice a sum of products without the bias, which may be too large to be doubled. */
static __attribute__((noinline)) int8_t finish_slowly(const patchnas_weights* weights,
                                                      int32_t channel, int32_t doubled) {
  return patchnas_finish(weights, channel,
                         (uint32_t)weights->biases[channel] + (uint32_t)(doubled >> 1));
}

PATCHNAS_ALWAYS_INLINE void multiply_columns(const patchnas_weights* weights,
                                             const patchnas_dsp_columns* columns, int32_t terms,
                                             int8_t* out, int32_t out_channels,
                                             int32_t columns_used, int32_t pitch,
                                             patchnas_dsp_exact exact) {
  /* Where fewer than four are used, the last one is computed and written again. */
  const int32_t second = columns_used > 1 ? pitch : 0;
  const int32_t third = columns_used > 2 ? 2 * pitch : second;
  const int32_t fourth = columns_used > 3 ? 3 * pitch : third;
  const int32_t words = terms / 4;
  const int32_t rest = terms % 4;
  const int8_t* row = weights->weights;
  for (int32_t o = 0; o < out_channels; ++o, ++out) {
    const int is_exact = exact == kPatchnasAllExact || patchnas_dsp_is_exact(weights, o);
    const int32_t bias = is_exact ? 2 * weights->biases[o] : 0;
    const int16x2_t* pairs = &columns->pairs[0][0][0];
    sums s = {bias, bias, bias, bias};
    s = add_products(s, &row, &pairs, words);
    if (rest != 0) {
      s = add_word(s, patchnas_dsp_last_word(weights->weights, row + rest, rest), pairs);
      row += rest;
    }
    if (!is_exact) {
      out[0] = finish_slowly(weights, o, s.s0);
      out[second] = finish_slowly(weights, o, s.s1);
      out[third] = finish_slowly(weights, o, s.s2);
      out[fourth] = finish_slowly(weights, o, s.s3);
      continue;
    }
    const patchnas_dsp_scale scale = patchnas_dsp_scale_of(weights, o);
    out[0] = patchnas_dsp_finish(scale, s.s0);
    out[second] = patchnas_dsp_finish(scale, s.s1);
    out[third] = patchnas_dsp_finish(scale, s.s2);
    out[fourth] = patchnas_dsp_finish(scale, s.s3);
  }
}

void patchnas_dsp_multiply_columns(const patchnas_weights* weights,
                                   const patchnas_dsp_columns* columns, int32_t terms, int8_t* out,
                                   int32_t out_channels, int32_t columns_used, int32_t pitch,
                                   patchnas_dsp_exact exact) {
  /* Compiled twice: without the question whether a channel is exact, more stays in registers. */
  if (exact == kPatchnasAllExact) {
    multiply_columns(weights, columns, terms, out, out_channels, columns_used, pitch,
                     kPatchnasAllExact);
  } else {
    multiply_columns(weights, columns, terms, out, out_channels, columns_used, pitch,
                     kPatchnasSomeExact);
  }
}

/* Two weight rows times two columns. */
typedef struct block {
  int32_t row0_col0, row0_col1, row1_col0, row1_col1;
} block;

PATCHNAS_ALWAYS_INLINE block add_block(block b, const int8_t* row0, const int8_t* in, int32_t terms,
                                       int32_t row_pitch, int32_t in_pitch) {
#define WEIGHTS(sum0, sum1)             \
  "sxtb16 %[w0], %[w1] \n\t"            \
  "sxtb16 %[w1], %[w1], ror #8 \n\t"    \
  "smlad " sum0 ", %[w0], %[a0], " sum0 \
  " \n\t"                               \
  "smlad " sum1 ", %[w0], %[b0], " sum1 \
  " \n\t"                               \
  "smlad " sum0 ", %[w1], %[a1], " sum0 \
  " \n\t"                               \
  "smlad " sum1 ", %[w1], %[b1], " sum1 " \n\t"
#define STEP                                        \
  "ldr %[b1], [%[in], %[in_pitch]] \n\t"            \
  "ldr %[a1], [%[in]], #4 \n\t"                     \
  "sxtb16 %[b0], %[b1] \n\t"                        \
  "sxtb16 %[b1], %[b1], ror #8 \n\t"                \
  "sxtb16 %[a0], %[a1] \n\t"                        \
  "sxtb16 %[a1], %[a1], ror #8 \n\t"                \
  "ldr %[w1], [%[row], %[row_pitch]] \n\t" WEIGHTS( \
      "%[s10]", "%[s11]") "ldr %[w1], [%[row]], #4 \n\t" WEIGHTS("%[s00]", "%[s01]")
  uint32_t a0, a1, b0, b1, w0, w1;
#define OPERANDS                                                                                  \
  [a0] "=&r"(a0), [a1] "=&r"(a1), [b0] "=&r"(b0), [b1] "=&r"(b1), [w0] "=&r"(w0), [w1] "=&r"(w1), \
      [row] "+r"(row0), [in] "+r"(in), [s00] "+r"(b.row0_col0), [s01] "+r"(b.row0_col1),          \
      [s10] "+r"(b.row1_col0), [s11] "+r"(b.row1_col1)
  if (terms & 4) {
    __asm__ volatile(STEP:OPERANDS
                     : [row_pitch] "r"(row_pitch), [in_pitch] "r"(in_pitch)
                     : "memory");
  }
  const int8_t* const end = in + (terms & ~7);
  if (terms >= 8) {
    __asm__ volatile("1: \n\t" STEP STEP
                     "ldr %[w1], %[end] \n\t"
                     "cmp %[in], %[w1] \n\t"
                     "bne 1b \n\t"
                     : OPERANDS
                     : [row_pitch] "r"(row_pitch), [in_pitch] "r"(in_pitch), [end] "m"(end)
                     : "memory", "cc");
  }
  for (int32_t i = 0; i < (terms & 3); ++i) {
    b.row0_col0 += row0[i] * in[i];
    b.row0_col1 += row0[i] * in[i + in_pitch];
    b.row1_col0 += row0[i + row_pitch] * in[i];
    b.row1_col1 += row0[i + row_pitch] * in[i + in_pitch];
  }
  return b;
#undef STEP
#undef WEIGHTS
#undef OPERANDS
}

PATCHNAS_ALWAYS_INLINE void multiply_pair(const patchnas_weights* weights,
                                          const patchnas_dsp_pair_of_columns* columns, int8_t* out,
                                          int32_t out_pitch, int32_t out_channels,
                                          patchnas_dsp_exact exact) {
  const int32_t run_terms = columns->run_terms;
  const int32_t terms = run_terms * columns->runs;
  const int8_t* row = weights->weights;
  for (int32_t o = 0; o < out_channels; o += 2, row += terms) {
    /* A last odd row is computed twice. */
    const int32_t next = o + 1 < out_channels;
    const int32_t next_row = next ? terms : 0;
    const int is_exact =
        exact == kPatchnasAllExact || patchnas_dsp_are_exact(weights, o, o + next + 1);
    const int32_t bias0 = is_exact ? weights->biases[o] : 0;
    const int32_t bias1 = is_exact ? weights->biases[o + next] : 0;
    block b = {bias0, bias0, bias1, bias1};
    const int8_t* values = columns->values;
    for (int32_t y = 0; y < columns->runs; ++y, row += run_terms) {
      if (y >= columns->runs_begin && y < columns->runs_end) {
        b = add_block(b, row, values, run_terms, next_row, columns->pitch);
        values += columns->run_pitch;
      } else {
        const int32_t zero_point = weights->input_zero_point;
        const int32_t sum0 = patchnas_dsp_dot_constant(0, row, zero_point, run_terms);
        const int32_t sum1 = patchnas_dsp_dot_constant(0, row + next_row, zero_point, run_terms);
        b.row0_col0 += sum0;
        b.row0_col1 += sum0;
        b.row1_col0 += sum1;
        b.row1_col1 += sum1;
      }
    }
    if (!is_exact) {
      out[o] = finish_slowly(weights, o, 2 * b.row0_col0);
      out[o + out_pitch] = finish_slowly(weights, o, 2 * b.row0_col1);
      out[o + next] = finish_slowly(weights, o + next, 2 * b.row1_col0);
      out[o + next + out_pitch] = finish_slowly(weights, o + next, 2 * b.row1_col1);
      continue;
    }
    const patchnas_dsp_scale scale0 = patchnas_dsp_scale_of(weights, o);
    out[o] = patchnas_dsp_finish(scale0, 2 * b.row0_col0);
    out[o + out_pitch] = patchnas_dsp_finish(scale0, 2 * b.row0_col1);
    const patchnas_dsp_scale scale1 = patchnas_dsp_scale_of(weights, o + next);
    out[o + next] = patchnas_dsp_finish(scale1, 2 * b.row1_col0);
    out[o + next + out_pitch] = patchnas_dsp_finish(scale1, 2 * b.row1_col1);
  }
}

void patchnas_dsp_multiply_pair(const patchnas_weights* weights,
                                const patchnas_dsp_pair_of_columns* columns, int8_t* out,
                                int32_t out_pitch, int32_t out_channels, patchnas_dsp_exact exact) {
  if (exact == kPatchnasAllExact) {
    multiply_pair(weights, columns, out, out_pitch, out_channels, kPatchnasAllExact);
  } else {
    multiply_pair(weights, columns, out, out_pitch, out_channels, kPatchnasSomeExact);
  }
}
#else
typedef int patchnas_dsp_matrix_is_empty; /* ISO C wants a declaration in every file */
#endif
