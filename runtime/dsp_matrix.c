/* The loops below need every register, whatever the rest of a program is compiled with, and loops
 * that fill bytes are to stay loops: there may be no memset. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__arm__)
#pragma GCC optimize("O2", "omit-frame-pointer", "no-tree-loop-distribute-patterns")
#endif

#include "runtime/simd.h"

#if defined(PATCHNAS_DSP)
#include "runtime/dsp_widen.h"

/* Columns of at most kMostTerms are widened once for all weight rows, longer ones block by block,
 * once for every kMostRows rows, whose sums wait in memory meanwhile. Either takes 640 bytes of
 * stack. */
enum { kMostTerms = 48, kMostRows = 16 };

typedef struct sums {
  int32_t s[4];
} sums;

/* Four weights times four values of each of four columns. The compiler would load the columns with
 * more than two instructions. Each instruction takes four bytes. */
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
#define FOUR_STEPS STEP STEP STEP STEP
enum { kStepBytes = 13 * 4 };

/* Where the outputs of the four columns go: to the first one's address, and so far from there. */
typedef struct outputs {
  int8_t* first;
  int32_t second, third, fourth;
} outputs;

static outputs outputs_of(const patchnas_dsp_columns* c) {
  int8_t* const first = c->columns[0].out;
  const outputs out = {first, (int32_t)(c->columns[1].out - first),
                       (int32_t)(c->columns[2].out - first), (int32_t)(c->columns[3].out - first)};
  return out;
}

/* For sums that are not doubled, where patchnas_dsp_finish is not exact. */
static __attribute__((noinline)) void finish_inexact(const patchnas_weights* weights, int32_t o,
                                                     const outputs* out, const int32_t* s) {
  const int32_t pitches[4] = {0, out->second, out->third, out->fourth};
  int8_t* const first = out->first + o;
  if (!patchnas_dsp_can_scale_all(weights->shifts[o])) {
    for (int j = 0; j < 4; ++j) {
      first[pitches[j]] = patchnas_finish(weights, o, (uint32_t)s[j]);
    }
    return;
  }
  const patchnas_dsp_scale scale = patchnas_dsp_scale_of(weights, o);
  for (int j = 0; j < 4; ++j) {
    first[pitches[j]] = patchnas_dsp_finish_all(scale, s[j]);
  }
}

/* Adds the products of `words` * 4 widened terms with `rows` rows of weights, `pitch` bytes
 * apart. */
static void add_products(const int8_t* row, int32_t pitch, const widened_word* columns,
                         int32_t words, sums* s, int32_t rows) {
  const int32_t skip = (kMostTerms / 4 - words) * kStepBytes;
  const int32_t to_next_row = pitch - 4 * words;
  const sums* const end = s + rows;
  const widened_word* xp;
  uint32_t w, e;
  register int32_t s0 __asm__("r0");
  register int32_t s1 __asm__("r1");
  register int32_t s2 __asm__("r2");
  register int32_t s3 __asm__("r3");
  __asm__ volatile(
      "1: \n\t"
      "ldmia %[s], {r0, r1, r2, r3} \n\t"
      "ldr %[xp], %[columns] \n\t"
      "ldr %[w], %[skip] \n\t"
      "add pc, %[w] \n\t"
      "nop \n\t" /* `pc` is four bytes behind the jump */
      FOUR_STEPS FOUR_STEPS FOUR_STEPS
      "stmia %[s]!, {r0, r1, r2, r3} \n\t"
      "ldr %[w], %[to_next_row] \n\t"
      "add %[wp], %[wp], %[w] \n\t"
      "ldr %[w], %[end] \n\t"
      "cmp %[s], %[w] \n\t"
      "bne 1b \n\t"
      : [w] "=&r"(w), [e] "=&r"(e), [wp] "+r"(row), [xp] "=&r"(xp), [s] "+r"(s), [s0] "=&r"(s0),
        [s1] "=&r"(s1), [s2] "=&r"(s2), [s3] "=&r"(s3)
      : [to_next_row] "m"(to_next_row), [columns] "m"(columns), [skip] "m"(skip), [end] "m"(end)
      : "r4", "r5", "r6", "r8", "memory", "cc");
}

/* The same for `count` terms, the end of the rows where they are no whole words. The last word of a
 * row may then reach into the next one, whose weights meet zeros; the last row has none. */
static void add_block(const int8_t* row, int32_t pitch, const widened_word* columns, int32_t count,
                      sums* s, int32_t rows, int is_end) {
  const int32_t rest = count % 4;
  if (rest == 0 || !is_end) {
    add_products(row, pitch, columns, (count + 3) / 4, s, rows);
    return;
  }
  if (rows > 1) {
    add_products(row, pitch, columns, (count + 3) / 4, s, rows - 1);
  }
  row += (rows - 1) * pitch;
  s += rows - 1;
  add_products(row, pitch, columns, count / 4, s, 1);
  columns += count / 4;
  const uint32_t word = last_word(row + count, rest, count);
  for (int j = 0; j < 4; ++j) {
    s->s[j] = __smlad(columns->even[j], patchnas_even_bytes(word), s->s[j]);
    s->s[j] = __smlad(columns->odd[j], patchnas_odd_bytes(word), s->s[j]);
  }
}

static void begin_rows(const int32_t* biases, int32_t rows, sums* s, enum factor factor) {
  const int32_t shift = factor == kTwice;
  for (sums* const end = s + rows; s < end; ++s) {
    const int32_t bias = (int32_t)((uint32_t)*biases++ << shift);
    s->s[0] = bias;
    s->s[1] = bias;
    s->s[2] = bias;
    s->s[3] = bias;
  }
}

/* All channels are exact. */
PATCHNAS_ALWAYS_INLINE void finish_exact_rows(const patchnas_weights* weights, int32_t begin,
                                              int32_t rows, const sums* s, const outputs* out,
                                              enum factor factor) {
  const int32_t* multipliers = weights->multipliers + begin;
  const int8_t* shifts = weights->shifts + begin;
  const outputs o = *out;
  int8_t* first = o.first + begin;
  const int32_t zero_point = weights->output_zero_point;
  const int32_t missing = factor == kTwice ? 1 : 2;
  for (int8_t* const end = first + rows; first < end; ++first, ++s) {
    const patchnas_dsp_scale scale = patchnas_dsp_make_scale(*multipliers++, *shifts++, zero_point);
    first[0] = patchnas_dsp_finish(scale, s->s[0] * missing);
    first[o.second] = patchnas_dsp_finish(scale, s->s[1] * missing);
    first[o.third] = patchnas_dsp_finish(scale, s->s[2] * missing);
    first[o.fourth] = patchnas_dsp_finish(scale, s->s[3] * missing);
  }
}

/* For sums that are not doubled. */
static void finish_rows(const patchnas_weights* weights, int32_t begin, int32_t rows, const sums* s,
                        const outputs* out, patchnas_dsp_exact exact) {
  if (exact == kPatchnasAllExact) {
    finish_exact_rows(weights, begin, rows, s, out, kOnce);
    return;
  }
  for (int32_t i = 0; i < rows; ++i, ++s) {
    if (exact == kPatchnasSomeExact && patchnas_dsp_is_exact(weights, begin + i)) {
      finish_exact_rows(weights, begin + i, 1, s, out, kOnce);
    } else {
      finish_inexact(weights, begin + i, out, s->s);
    }
  }
}

/* At most kMostTerms terms. */
PATCHNAS_ALWAYS_INLINE void multiply_at_once(const patchnas_weights* weights,
                                             const patchnas_dsp_columns* c, int32_t out_channels,
                                             patchnas_dsp_exact exact, enum shape shape) {
  widened_word words[kMostTerms / 4];
  union { /* needed one after the other */
    int8_t gathered[4][kBlockTerms];
    sums s[kMostRows];
  } space;
  const int32_t terms = c->run * c->runs;
  const enum factor factor = exact == kPatchnasAllExact ? kTwice : kOnce;
  const outputs out = outputs_of(c);
  widened_word* next = words;
  for (block b = first_block(c, weights->weights, shape); b.left > 0; next_block(&b, c, shape)) {
    next = (shape == kRuns ? widen_runs : widen_pieces)(c, weights->input_zero_point, &b,
                                                        space.gathered, next, factor);
  }
  for (int32_t begin = 0; begin < out_channels; begin += kMostRows) {
    const int32_t left = out_channels - begin;
    const int32_t rows = left < kMostRows ? left : kMostRows;
    begin_rows(weights->biases + begin, rows, space.s, factor);
    add_block(weights->weights + begin * terms, terms, words, terms, space.s, rows, rows == left);
    if (factor == kTwice) {
      finish_exact_rows(weights, begin, rows, space.s, &out, kTwice);
    } else {
      finish_rows(weights, begin, rows, space.s, &out, exact);
    }
  }
}

PATCHNAS_ALWAYS_INLINE void multiply_in_blocks(const patchnas_weights* weights,
                                               const patchnas_dsp_columns* c, int32_t out_channels,
                                               patchnas_dsp_exact exact, enum shape shape) {
  widened_word words[kBlockTerms / 4];
  sums s[kMostRows];
  int8_t gathered[4][kBlockTerms];
  const int32_t pitch = c->run * c->runs;
  const outputs out = outputs_of(c);
  for (int32_t begin = 0; begin < out_channels; begin += kMostRows) {
    const int32_t left = out_channels - begin;
    const int32_t rows = left < kMostRows ? left : kMostRows;
    const int8_t* const row = weights->weights + begin * pitch;
    begin_rows(weights->biases + begin, rows, s, kOnce);
    for (block b = first_block(c, row, shape); b.left > 0; next_block(&b, c, shape)) {
      (shape == kRuns ? widen_runs : widen_pieces)(c, weights->input_zero_point, &b, gathered,
                                                   words, kOnce);
      add_block(b.weights, pitch, words, b.count, s, rows, rows == left);
    }
    finish_rows(weights, begin, rows, s, &out, exact);
  }
}

patchnas_dsp_exact patchnas_dsp_which_exact(const patchnas_weights* weights, int32_t out_channels,
                                            int32_t terms) {
  if (terms > PATCHNAS_DSP_MOST_TERMS) {
    return kPatchnasNoneExact;
  }
  return patchnas_dsp_are_exact(weights, 0, out_channels) ? kPatchnasAllExact : kPatchnasSomeExact;
}

static __attribute__((noinline)) void runs_at_once(const patchnas_weights* weights,
                                                   const patchnas_dsp_columns* c,
                                                   int32_t out_channels, patchnas_dsp_exact exact) {
  multiply_at_once(weights, c, out_channels, exact, kRuns);
}

static __attribute__((noinline)) void runs_in_blocks(const patchnas_weights* weights,
                                                     const patchnas_dsp_columns* c,
                                                     int32_t out_channels,
                                                     patchnas_dsp_exact exact) {
  multiply_in_blocks(weights, c, out_channels, exact, kRuns);
}

static __attribute__((noinline)) void pieces_at_once(const patchnas_weights* weights,
                                                     const patchnas_dsp_columns* c,
                                                     int32_t out_channels,
                                                     patchnas_dsp_exact exact) {
  multiply_at_once(weights, c, out_channels, exact, kPieces);
}

static __attribute__((noinline)) void pieces_in_blocks(const patchnas_weights* weights,
                                                       const patchnas_dsp_columns* c,
                                                       int32_t out_channels,
                                                       patchnas_dsp_exact exact) {
  multiply_in_blocks(weights, c, out_channels, exact, kPieces);
}

void patchnas_dsp_multiply(const patchnas_weights* weights, const patchnas_dsp_columns* columns,
                           int32_t out_channels, patchnas_dsp_exact exact) {
  (columns->run * columns->runs > kMostTerms ? runs_in_blocks : runs_at_once)(weights, columns,
                                                                              out_channels, exact);
}

/* The first `used` columns, at least one, are there; others are computed and written again. */
static void repeat_columns(patchnas_dsp_columns* columns, int used) {
  for (int j = used; j < 4; ++j) {
    columns->columns[j] = columns->columns[used - 1];
  }
}

void patchnas_dsp_multiply_rest(const patchnas_weights* weights, patchnas_dsp_columns* columns,
                                int used, int32_t out_channels, patchnas_dsp_exact exact) {
  if (used > 0) {
    repeat_columns(columns, used);
    patchnas_dsp_multiply(weights, columns, out_channels, exact);
  }
}

void patchnas_dsp_multiply_pieces(const patchnas_weights* weights, patchnas_dsp_columns* columns,
                                  int used, int32_t out_channels, patchnas_dsp_exact exact) {
  if (used > 0) {
    repeat_columns(columns, used);
    (columns->run * columns->runs > kMostTerms ? pieces_in_blocks : pieces_at_once)(
        weights, columns, out_channels, exact);
  }
}

void patchnas_dsp_multiply_apart(const patchnas_weights* weights, patchnas_dsp_columns* columns,
                                 int used, int32_t rows, patchnas_dsp_exact exact) {
  widened_word words[kBlockTerms / 4];
  sums s[PATCHNAS_DSP_MOST_APART];
  int8_t padding[kBlockTerms];
  if (used == 0) {
    return;
  }
  repeat_columns(columns, used);
  fill_bytes(padding, kBlockTerms, patchnas_four_bytes(weights->input_zero_point));
  begin_rows(weights->biases, rows, s, kOnce);
  for (block b = first_block(columns, weights->weights, kApart); b.left > 0;
       next_block(&b, columns, kApart)) {
    widen_apart(columns, padding, &b, words);
    add_block(b.weights, columns->weights_pitch, words, b.count, s, rows, 1);
  }
  const outputs out = outputs_of(columns);
  finish_rows(weights, 0, rows, s, &out, exact);
}
#else
typedef int patchnas_dsp_matrix_is_empty; /* ISO C wants a declaration in every file */
#endif
