/* The loops below need every register, whatever the rest of a program is compiled with, and loops
 * that fill bytes are to stay loops: there may be no memset. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__arm__)
#pragma GCC optimize("O2", "omit-frame-pointer", "no-tree-loop-distribute-patterns")
#endif

#include "runtime/simd.h"

#if defined(PATCHNAS_DSP)
#include "runtime/dsp_matrix.h"

/* Columns of at most kMostTerms are widened once for all weight rows, longer ones block by block,
 * once for every kMostRows rows, whose sums wait in memory meanwhile. Either takes 640 bytes of
 * stack. */
enum { kMostTerms = 48, kBlockTerms = 32, kMostRows = 16 };

/* Four values of each of four columns, as int16: those with even index of all columns, then those
 * with odd index. */
typedef struct widened_word {
  int16x2_t even[4], odd[4];
} widened_word;

typedef struct sums {
  int32_t s[4];
} sums;

/* Sums are doubled (dsp.h) with the columns where these are widened once, and at the end where they
 * are widened often. */
enum factor { kOnce, kTwice };

/* ---- Widening ---- */

static int8_t* fill_bytes(int8_t* to, int32_t count, uint32_t four) {
  for (; count >= 4; count -= 4, to += 4) {
    ((patchnas_unaligned_word*)to)->value = four;
  }
  for (; count > 0; --count) {
    *to++ = (int8_t)four;
  }
  return to;
}

static int8_t* copy_bytes(int8_t* to, const int8_t* from, int32_t count) {
  int8_t* const end = to + count;
  for (; end - to >= 4; to += 4, from += 4) {
    ((patchnas_unaligned_word*)to)->value = patchnas_load_word(from);
  }
  while (to < end) {
    *to++ = *from++;
  }
  return to;
}

static int32_t clamp(int32_t x, int32_t low, int32_t high) {
  return x < low ? low : x > high ? high : x;
}

/* `count` terms of one column from term `x` of run `y` on, padding included. */
static void gather(const patchnas_dsp_columns* c, const patchnas_dsp_column* column,
                   int32_t zero_point, int32_t y, int32_t x, int32_t count, int8_t* to) {
  const uint32_t padding = patchnas_four_bytes(zero_point);
  const int8_t* values = column->corner + y * c->run_pitch;
  for (; count > 0; ++y, x = 0, values += c->run_pitch) {
    const int32_t stop = c->run - x < count ? c->run : x + count;
    count -= stop - x;
    if (y < column->runs_begin || y >= column->runs_end) {
      to = fill_bytes(to, stop - x, padding);
    } else if (x >= column->begin && stop <= column->end) {
      to = copy_bytes(to, values + x, stop - x);
    } else {
      const int32_t begin = clamp(column->begin, x, stop);
      const int32_t end = clamp(column->end, x, stop);
      to = fill_bytes(to, begin - x, padding);
      to = copy_bytes(to, values + begin, end - begin);
      to = fill_bytes(to, stop - end, padding);
    }
  }
}

/* Widens `words` * 4 values from each of four addresses on, and moves these on. */
static widened_word* widen_words(widened_word* to, const int8_t* from[4], int32_t words,
                                 enum factor factor) {
#define WIDEN(double_even, double_odd)                                                  \
  __asm__ volatile(                                                                     \
      "1: \n\t"                                                                         \
      "ldr r4, [%[p0]], #4 \n\t"                                                        \
      "ldr r5, [%[p1]], #4 \n\t"                                                        \
      "ldr r6, [%[p2]], #4 \n\t"                                                        \
      "ldr r8, [%[p3]], #4 \n\t"                                                        \
      "sxtb16 r0, r4 \n\t"                                                              \
      "sxtb16 r1, r5 \n\t"                                                              \
      "sxtb16 r2, r6 \n\t"                                                              \
      "sxtb16 r3, r8 \n\t" double_even                                                  \
      "stmia %[to]!, {r0, r1, r2, r3} \n\t"                                             \
      "sxtb16 r4, r4, ror #8 \n\t"                                                      \
      "sxtb16 r5, r5, ror #8 \n\t"                                                      \
      "sxtb16 r6, r6, ror #8 \n\t"                                                      \
      "sxtb16 r8, r8, ror #8 \n\t" double_odd                                           \
      "stmia %[to]!, {r4, r5, r6, r8} \n\t"                                             \
      "ldr r0, %[end] \n\t"                                                             \
      "cmp %[to], r0 \n\t"                                                              \
      "bne 1b \n\t"                                                                     \
      : [p0] "+r"(from[0]), [p1] "+r"(from[1]), [p2] "+r"(from[2]), [p3] "+r"(from[3]), \
        [to] "+r"(to)                                                                   \
      : [end] "m"(end)                                                                  \
      : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "memory", "cc")
  const widened_word* const end = to + words;
  if (words == 0) {
    return to;
  }
  if (factor == kTwice) {
    WIDEN(
        "sadd16 r0, r0, r0 \n\t sadd16 r1, r1, r1 \n\t"
        "sadd16 r2, r2, r2 \n\t sadd16 r3, r3, r3 \n\t",
        "sadd16 r4, r4, r4 \n\t sadd16 r5, r5, r5 \n\t"
        "sadd16 r6, r6, r6 \n\t sadd16 r8, r8, r8 \n\t");
  } else {
    WIDEN("", "");
  }
  return to;
#undef WIDEN
}

/* The last `count` < 4 of the values before `end`, the rest 0. `values` values may be read before
 * `end`. */
static uint32_t last_word(const int8_t* end, int32_t count, int32_t values) {
  if (values >= 4) {
    return patchnas_load_word(end - 4) >> (8 * (4 - count));
  }
  uint32_t word = 0;
  for (int32_t i = 0; i < count; ++i) {
    word |= (uint32_t)(uint8_t)end[i - count] << (8 * i);
  }
  return word;
}

/* Where the terms of a block begin, and how many they are: whole words but for the last block, and
 * of one run where runs have many whole words, as these need not be gathered. */
typedef struct block {
  int32_t y, x, count, left;
} block;

static void cut_block(block* b, int32_t run) {
  b->count = b->left < kBlockTerms ? b->left : kBlockTerms;
  if (run % 4 == 0 && run >= kBlockTerms / 2 && run - b->x < b->count) {
    b->count = run - b->x;
  }
}

static void next_block(block* b, int32_t run) {
  b->left -= b->count;
  for (b->x += b->count; b->x >= run && b->left > 0; b->x -= run) {
    ++b->y;
  }
  cut_block(b, run);
}

static block first_block(const patchnas_dsp_columns* c) {
  block b = {0, 0, 0, c->run * c->runs};
  cut_block(&b, c->run);
  return b;
}

/* Widens at most kBlockTerms terms from term `x` of run `y` on. */
static widened_word* widen_block(const patchnas_dsp_columns* c, int32_t zero_point, const block* b,
                                 int8_t gathered[4][kBlockTerms], widened_word* to,
                                 enum factor factor) {
  const int8_t* from[4];
  const int32_t y = b->y, x = b->x, count = b->count;
  for (int j = 0; j < 4; ++j) {
    const patchnas_dsp_column* const column = &c->columns[j];
    if (y >= column->runs_begin && y < column->runs_end && x >= column->begin &&
        x + count <= column->end) {
      from[j] = column->corner + y * c->run_pitch + x;
    } else {
      gather(c, column, zero_point, y, x, count, gathered[j]);
      from[j] = gathered[j];
    }
  }
  to = widen_words(to, from, count / 4, factor);
  const int32_t rest = count % 4;
  if (rest != 0) {
    for (int j = 0; j < 4; ++j) {
      const uint32_t word = last_word(from[j] + rest, rest, count);
      const int16x2_t even = patchnas_even_bytes(word);
      const int16x2_t odd = patchnas_odd_bytes(word);
      to->even[j] = factor == kTwice ? __sadd16(even, even) : even;
      to->odd[j] = factor == kTwice ? __sadd16(odd, odd) : odd;
    }
  }
  return to + (rest != 0);
}

/* ---- Multiplying ---- */

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
static void multiply_at_once(const patchnas_weights* weights, const patchnas_dsp_columns* c,
                             int32_t out_channels, patchnas_dsp_exact exact) {
  widened_word words[kMostTerms / 4];
  union { /* needed one after the other */
    int8_t gathered[4][kBlockTerms];
    sums s[kMostRows];
  } space;
  const int32_t terms = c->run * c->runs;
  const enum factor factor = exact == kPatchnasAllExact ? kTwice : kOnce;
  const outputs out = outputs_of(c);
  widened_word* next = words;
  for (block b = first_block(c); b.left > 0; next_block(&b, c->run)) {
    next = widen_block(c, weights->input_zero_point, &b, space.gathered, next, factor);
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

static void multiply_in_blocks(const patchnas_weights* weights, const patchnas_dsp_columns* c,
                               int32_t out_channels, patchnas_dsp_exact exact) {
  widened_word words[kBlockTerms / 4];
  sums s[kMostRows];
  int8_t gathered[4][kBlockTerms];
  const int32_t terms = c->run * c->runs;
  const outputs out = outputs_of(c);
  for (int32_t begin = 0; begin < out_channels; begin += kMostRows) {
    const int32_t left = out_channels - begin;
    const int32_t rows = left < kMostRows ? left : kMostRows;
    const int8_t* row = weights->weights + begin * terms;
    begin_rows(weights->biases + begin, rows, s, kOnce);
    for (block b = first_block(c); b.left > 0; next_block(&b, c->run)) {
      widen_block(c, weights->input_zero_point, &b, gathered, words, kOnce);
      add_block(row, terms, words, b.count, s, rows, rows == left);
      row += b.count;
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

void patchnas_dsp_multiply(const patchnas_weights* weights, const patchnas_dsp_columns* columns,
                           int32_t out_channels, patchnas_dsp_exact exact) {
  (columns->run * columns->runs > kMostTerms ? multiply_in_blocks : multiply_at_once)(
      weights, columns, out_channels, exact);
}

void patchnas_dsp_multiply_rest(const patchnas_weights* weights, patchnas_dsp_columns* columns,
                                int used, int32_t out_channels, patchnas_dsp_exact exact) {
  if (used == 0) {
    return;
  }
  for (int j = used; j < 4; ++j) { /* computed and written again */
    columns->columns[j] = columns->columns[used - 1];
  }
  patchnas_dsp_multiply(weights, columns, out_channels, exact);
}
#else
typedef int patchnas_dsp_matrix_is_empty; /* ISO C wants a declaration in every file */
#endif
