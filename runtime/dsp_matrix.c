/* The loops below need every register, whatever the rest of a program is compiled with. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__arm__)
#pragma GCC optimize("O2", "omit-frame-pointer")
#endif

#include "runtime/simd.h"

#if defined(PATCHNAS_DSP)
#include "runtime/dsp_matrix.h"

/* Columns of at most kMostTerms are widened once for all weight rows. Longer ones are widened block
 * by block, once for every kMostRows rows, whose sums wait in memory meanwhile. Either takes 512
 * bytes of stack. */
enum { kMostTerms = 64, kBlockTerms = 32, kMostRows = 16, kBlockWords = kBlockTerms / 4 };

/* Four values of each of four columns, as int16: those with even index of all columns, then those
 * with odd index. */
typedef struct widened_word {
  int16x2_t even[4], odd[4];
} widened_word;

typedef struct sums {
  int32_t s[4];
} sums;

/* Sums are doubled (dsp.h) by doubling the columns where they are widened once, and at the end
 * where they are widened often. */
typedef enum factor { kOnce, kTwice } factor;

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
  for (; count >= 4; count -= 4, to += 4, from += 4) {
    ((patchnas_unaligned_word*)to)->value = patchnas_load_word(from);
  }
  for (; count > 0; --count) {
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
  const uint32_t padding = (uint32_t)(uint8_t)zero_point * 0x01010101u;
  for (; count > 0; ++y, x = 0) {
    const int32_t stop = c->run - x < count ? c->run : x + count;
    const int inside = y >= column->runs_begin && y < column->runs_end;
    const int32_t begin = inside ? clamp(column->begin, x, stop) : stop;
    const int32_t end = inside ? clamp(column->end, x, stop) : stop;
    to = fill_bytes(to, begin - x, padding);
    to = copy_bytes(to, column->corner + y * c->run_pitch + begin, end - begin);
    to = fill_bytes(to, stop - end, padding);
    count -= stop - x;
  }
}

/* Widens `words` * 4 values from each of four addresses on, and moves these on. */
PATCHNAS_ALWAYS_INLINE widened_word* widen_words(widened_word* to, const int8_t* from[4],
                                                 int32_t words, factor factor) {
#define WIDEN(double_even, double_odd)                                                         \
  __asm__ volatile(                                                                            \
      "1: \n\t"                                                                                \
      "ldr r4, [%[p0]], #4 \n\t"                                                               \
      "ldr r5, [%[p1]], #4 \n\t"                                                               \
      "ldr r6, [%[p2]], #4 \n\t"                                                               \
      "ldr r8, [%[p3]], #4 \n\t"                                                               \
      "sxtb16 r0, r4 \n\t"                                                                     \
      "sxtb16 r1, r5 \n\t"                                                                     \
      "sxtb16 r2, r6 \n\t"                                                                     \
      "sxtb16 r3, r8 \n\t" double_even                                                         \
      "stmia %[to]!, {r0, r1, r2, r3} \n\t"                                                    \
      "sxtb16 r4, r4, ror #8 \n\t"                                                             \
      "sxtb16 r5, r5, ror #8 \n\t"                                                             \
      "sxtb16 r6, r6, ror #8 \n\t"                                                             \
      "sxtb16 r8, r8, ror #8 \n\t" double_odd                                                  \
      "stmia %[to]!, {r4, r5, r6, r8} \n\t"                                                    \
      "ldr r0, %[end] \n\t"                                                                    \
      "cmp %[to], r0 \n\t"                                                                     \
      "bne 1b \n\t"                                                                            \
      : [p0] "+r"(from[0]), [p1] "+r"(from[1]), [p2] "+r"(from[2]), [p3] "+r"(from[3]),        \
        [to] "+r"(to)                                                                          \
      : [end] "m"(end)                                                                         \
      : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "memory", "cc")
  const widened_word* const end = to + words;
  if (words == 0) {
    return to;
  }
  if (factor == kTwice) {
    WIDEN("sadd16 r0, r0, r0 \n\t sadd16 r1, r1, r1 \n\t"
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

/* Widens at most kBlockTerms terms from term `x` of run `y` on. */
PATCHNAS_ALWAYS_INLINE widened_word* widen_block(const patchnas_dsp_columns* c, int32_t zero_point,
                                                 int32_t y, int32_t x, int32_t count,
                                                 widened_word* to, factor factor) {
  int8_t gathered[4][kBlockTerms];
  const int8_t* from[4];
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
  return to;
}

static __attribute__((noinline)) widened_word* widen_once(const patchnas_dsp_columns* c,
                                                          int32_t zero_point, int32_t y, int32_t x,
                                                          int32_t count, widened_word* to) {
  return widen_block(c, zero_point, y, x, count, to, kTwice);
}

static __attribute__((noinline)) void widen_again(const patchnas_dsp_columns* c,
                                                  int32_t zero_point, int32_t y, int32_t x,
                                                  int32_t count, widened_word* to) {
  widen_block(c, zero_point, y, x, count, to, kOnce);
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

/* ---- Multiplying ---- */

/* Four weights times four values of each of four columns. The compiler would load the columns with
 * more than two instructions. Each instruction takes four bytes. */
#define STEP                            \
  "ldr %[w], [%[wp]], #4 \n\t"          \
  "ldmia %[xp]!, {r4, r5, r6, r8} \n\t" \
  "sxtb16 %[e], %[w] \n\t"              \
  "smlad %[s0], r4, %[e], %[s0] \n\t"         \
  "smlad %[s1], r5, %[e], %[s1] \n\t"         \
  "smlad %[s2], r6, %[e], %[s2] \n\t"         \
  "smlad %[s3], r8, %[e], %[s3] \n\t"         \
  "ldmia %[xp]!, {r4, r5, r6, r8} \n\t" \
  "sxtb16 %[w], %[w], ror #8 \n\t"      \
  "smlad %[s0], r4, %[w], %[s0] \n\t"         \
  "smlad %[s1], r5, %[w], %[s1] \n\t"         \
  "smlad %[s2], r6, %[w], %[s2] \n\t"         \
  "smlad %[s3], r8, %[w], %[s3] \n\t"
#define EIGHT_STEPS STEP STEP STEP STEP STEP STEP STEP STEP
enum { kStepBytes = 13 * 4 };

/* Jumps over as many of the next eight steps as %[w] says, in bytes. */
#define SKIP         \
  "add pc, %[w] \n\t" \
  "nop \n\t" /* where `pc` would be without: four bytes behind the jump */

/* Bytes of the first eight steps to skip for `words` steps in all. */
static int32_t bytes_to_skip(int32_t words) {
  return words == 0 ? 8 * kStepBytes : (-words & 7) * kStepBytes;
}

/* Adds up to three products with each of four columns. */
PATCHNAS_ALWAYS_INLINE void add_word(int32_t* s, uint32_t word, const widened_word* columns) {
  const int16x2_t even = patchnas_even_bytes(word);
  const int16x2_t odd = patchnas_odd_bytes(word);
  for (int j = 0; j < 4; ++j) {
    s[j] = __smlad(columns->odd[j], odd, __smlad(columns->even[j], even, s[j]));
  }
}

/* For sums of products without the bias, where dsp.h's scaling is not exact. */
static __attribute__((noinline)) void finish_inexact(const patchnas_weights* weights, int32_t o,
                                                     const patchnas_dsp_columns* c,
                                                     const int32_t* products) {
  const uint32_t bias = (uint32_t)weights->biases[o];
  for (int j = 0; j < 4; ++j) {
    c->columns[j].out[o] = patchnas_finish(weights, o, bias + (uint32_t)products[j]);
  }
}

PATCHNAS_ALWAYS_INLINE void finish(const patchnas_weights* weights, int32_t o,
                                   const patchnas_dsp_columns* c, int32_t s0, int32_t s1,
                                   int32_t s2, int32_t s3) {
  const patchnas_dsp_scale scale = patchnas_dsp_scale_of(weights, o);
  c->columns[0].out[o] = patchnas_dsp_finish(scale, s0);
  c->columns[1].out[o] = patchnas_dsp_finish(scale, s1);
  c->columns[2].out[o] = patchnas_dsp_finish(scale, s2);
  c->columns[3].out[o] = patchnas_dsp_finish(scale, s3);
}

static __attribute__((noinline)) void multiply_at_once(const patchnas_weights* weights,
                                                       const patchnas_dsp_columns* c,
                                                       int32_t out_channels,
                                                       patchnas_dsp_exact exact) {
  widened_word widened[kMostTerms / 4];
  const int32_t terms = c->run * c->runs;
  widened_word* to = widened;
  for (block b = first_block(c); b.left > 0; next_block(&b, c->run)) {
    to = widen_once(c, weights->input_zero_point, b.y, b.x, b.count, to);
  }
  const int32_t words = terms / 4;
  const int32_t rest = terms % 4;
  const int32_t skip = bytes_to_skip(words);
  const int32_t rounds = words > 8 ? (words + 7) / 8 : 1;
  const int8_t* row = weights->weights;
  for (int32_t o = 0; o < out_channels; ++o) {
    const int is_exact = exact == kPatchnasAllExact || patchnas_dsp_is_exact(weights, o);
    const int32_t bias = is_exact ? 2 * weights->biases[o] : 0;
    int32_t s0 = bias, s1 = bias, s2 = bias, s3 = bias;
    const widened_word* at = widened;
    int32_t w = skip;
    int32_t n = rounds;
    uint32_t e;
    __asm__ volatile(SKIP "1: \n\t" EIGHT_STEPS
                          "subs %[n], %[n], #1 \n\t"
                          "bne 1b \n\t"
                     : [w] "+r"(w), [e] "=&r"(e), [wp] "+r"(row), [xp] "+r"(at), [n] "+r"(n),
                       [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3)
                     :
                     : "r4", "r5", "r6", "r8", "memory", "cc");
    int32_t s[4] = {s0, s1, s2, s3};
    if (rest != 0) {
      add_word(s, last_word(row + rest, rest, terms), at);
      row += rest;
    }
    if (is_exact) {
      finish(weights, o, c, s[0], s[1], s[2], s[3]);
    } else {
      const int32_t products[4] = {s[0] >> 1, s[1] >> 1, s[2] >> 1, s[3] >> 1};
      finish_inexact(weights, o, c, products);
    }
  }
}

/* Adds a block's products with `rows` rows, from `row` on and `terms` apart. */
PATCHNAS_ALWAYS_INLINE void add_block(const int8_t* row, int32_t terms, int32_t count,
                                      const widened_word* widened, sums* s, int32_t rows) {
  const int32_t words = count / 4;
  const int32_t rest = count % 4;
  const int32_t skip = bytes_to_skip(words);
  const int32_t pitch = terms - 4 * words;
  const sums* const end = s + rows;
  const int8_t* wp = row;
  sums* at = s;
  const widened_word* xp;
  uint32_t w, e;
  register int32_t s0 __asm__("r0");
  register int32_t s1 __asm__("r1");
  register int32_t s2 __asm__("r2");
  register int32_t s3 __asm__("r3");
  __asm__ volatile(
      "1: \n\t"
      "ldmia %[s], {r0, r1, r2, r3} \n\t"
      "ldr %[xp], %[widened] \n\t"
      "ldr %[w], %[skip] \n\t" SKIP EIGHT_STEPS
      "stmia %[s]!, {r0, r1, r2, r3} \n\t"
      "ldr %[w], %[pitch] \n\t"
      "add %[wp], %[wp], %[w] \n\t"
      "ldr %[w], %[end] \n\t"
      "cmp %[s], %[w] \n\t"
      "bne 1b \n\t"
      : [w] "=&r"(w), [e] "=&r"(e), [wp] "+r"(wp), [xp] "=&r"(xp), [s] "+r"(at), [s0] "=&r"(s0), [s1] "=&r"(s1), [s2] "=&r"(s2), [s3] "=&r"(s3)
      : [pitch] "m"(pitch), [widened] "m"(widened), [skip] "m"(skip), [end] "m"(end)
      : "r4", "r5", "r6", "r8", "memory", "cc");
  if (rest != 0) {
    for (int32_t i = 0; i < rows; ++i, row += terms) {
      add_word(s[i].s, last_word(row + count, rest, terms), widened + words);
    }
  }
}

static __attribute__((noinline)) void multiply_in_blocks(const patchnas_weights* weights,
                                                         const patchnas_dsp_columns* c,
                                                         int32_t out_channels,
                                                         patchnas_dsp_exact exact) {
  widened_word widened[kBlockWords];
  sums s[kMostRows];
  const int32_t terms = c->run * c->runs;
  const int8_t* row = weights->weights;
  for (int32_t begin = 0; begin < out_channels; begin += kMostRows, row += kMostRows * terms) {
    const int32_t rows = out_channels - begin < kMostRows ? out_channels - begin : kMostRows;
    for (int32_t i = 0; i < rows; ++i) {
      s[i].s[0] = s[i].s[1] = s[i].s[2] = s[i].s[3] = 0;
    }
    const int8_t* at = row;
    for (block b = first_block(c); b.left > 0; next_block(&b, c->run)) {
      widen_again(c, weights->input_zero_point, b.y, b.x, b.count, widened);
      add_block(at, terms, b.count, widened, s, rows);
      at += b.count;
    }
    for (int32_t i = 0; i < rows; ++i) {
      const int32_t o = begin + i;
      if (exact == kPatchnasAllExact || patchnas_dsp_is_exact(weights, o)) {
        const int32_t bias = weights->biases[o];
        finish(weights, o, c, 2 * (bias + s[i].s[0]), 2 * (bias + s[i].s[1]),
               2 * (bias + s[i].s[2]), 2 * (bias + s[i].s[3]));
      } else {
        finish_inexact(weights, o, c, s[i].s);
      }
    }
  }
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
