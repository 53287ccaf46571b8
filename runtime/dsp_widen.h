/* Values of four columns as pairs of int16, block by block. Only where PATCHNAS_DSP is defined, for
 * dsp_matrix.c. */
#ifndef PATCHNAS_RUNTIME_DSP_WIDEN_H
#define PATCHNAS_RUNTIME_DSP_WIDEN_H

#include "runtime/dsp_matrix.h"

enum { kBlockTerms = 32 };

/* Four values of each of four columns, as int16: those with even index of all columns, then those
 * with odd index. */
typedef struct widened_word {
  int16x2_t even[4], odd[4];
} widened_word;

/* Sums are doubled (dsp.h) with the columns where these are widened once, and at the end where they
 * are widened often. */
enum factor { kOnce, kTwice };

/* Runs that are in one piece, those that consist of pieces, and pieces whose weights lie apart.
 * Each has functions of its own: most programs need one of them. */
enum shape { kRuns, kPieces, kApart };

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

/* How far term `x` of a run in pieces is from its first one. */
static inline int32_t distance_of(const patchnas_dsp_columns* c, int32_t x) {
  return x + x / c->piece * (c->piece_pitch - c->piece);
}

/* `count` terms of a run from term `x` on, piece by piece. */
static __attribute__((noinline)) int8_t* copy_pieces(const patchnas_dsp_columns* c, int8_t* to,
                                                     const int8_t* run, int32_t x, int32_t count) {
  int32_t part = c->piece - x % c->piece;
  const int8_t* end = run + distance_of(c, x) + part;
  for (; count > 0; count -= part, end += c->piece_pitch, part = c->piece) {
    to = copy_bytes(to, end - part, part < count ? part : count);
  }
  return to;
}

PATCHNAS_ALWAYS_INLINE int8_t* copy_terms(const patchnas_dsp_columns* c, int8_t* to,
                                          const int8_t* run, int32_t x, int32_t count,
                                          enum shape shape) {
  return shape == kRuns ? copy_bytes(to, run + x, count) : copy_pieces(c, to, run, x, count);
}

/* `count` terms of one column from term `x` of run `y` on, padding included. */
PATCHNAS_ALWAYS_INLINE void gather(const patchnas_dsp_columns* c, const patchnas_dsp_column* column,
                                   int32_t zero_point, int32_t y, int32_t x, int32_t count,
                                   int8_t* to, enum shape shape) {
  const uint32_t padding = patchnas_four_bytes(zero_point);
  const int8_t* values = column->corner + y * c->run_pitch;
  for (; count > 0; ++y, x = 0, values += c->run_pitch) {
    const int32_t stop = c->run - x < count ? c->run : x + count;
    count -= stop - x;
    if (y < column->runs_begin || y >= column->runs_end) {
      to = fill_bytes(to, stop - x, padding);
    } else if (x >= column->begin && stop <= column->end) {
      to = copy_terms(c, to, values, x, stop - x, shape);
    } else {
      const int32_t begin = clamp(column->begin, x, stop);
      const int32_t end = clamp(column->end, x, stop);
      to = fill_bytes(to, begin - x, padding);
      to = copy_terms(c, to, values, begin, end - begin, shape);
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

/* Where the terms of a block begin, and how many they are: whole words but for the last block of
 * what lies side by side. Of one piece where pieces have many whole words, as these need not be
 * gathered, or where weights lie apart. */
typedef struct block {
  int32_t y, x, count, left;
  const int8_t* weights; /* of the first row */
} block;

PATCHNAS_ALWAYS_INLINE void cut_block(block* b, const patchnas_dsp_columns* c, enum shape shape) {
  const int32_t piece = shape == kRuns ? c->run : c->piece;
  b->count = b->left < kBlockTerms ? b->left : kBlockTerms;
  if (shape == kApart || (piece % 4 == 0 && piece >= kBlockTerms / 2)) {
    const int32_t piece_left = piece - (shape == kRuns ? b->x : b->x % piece);
    b->count = piece_left < b->count ? piece_left : b->count;
  }
}

PATCHNAS_ALWAYS_INLINE void next_block(block* b, const patchnas_dsp_columns* c, enum shape shape) {
  b->left -= b->count;
  b->weights += b->count;
  b->x += b->count;
  if (shape == kApart && b->x % c->piece == 0) {
    b->weights += c->next_piece_weights + (b->x == c->run ? c->next_run_weights : 0);
  }
  for (; b->x >= c->run && b->left > 0; b->x -= c->run) {
    ++b->y;
  }
  cut_block(b, c, shape);
}

PATCHNAS_ALWAYS_INLINE block first_block(const patchnas_dsp_columns* c, const int8_t* weights,
                                         enum shape shape) {
  block b = {0, 0, 0, c->run * c->runs, weights};
  cut_block(&b, c, shape);
  return b;
}

/* Widens `count` values from each of four addresses on. */
PATCHNAS_ALWAYS_INLINE widened_word* widen_values(widened_word* to, const int8_t* from[4],
                                                  int32_t count, enum factor factor) {
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

/* Widens a block. */
PATCHNAS_ALWAYS_INLINE widened_word* widen_block(const patchnas_dsp_columns* c, int32_t zero_point,
                                                 const block* b, int8_t gathered[4][kBlockTerms],
                                                 widened_word* to, enum factor factor,
                                                 enum shape shape) {
  const int8_t* from[4];
  const int32_t y = b->y, x = b->x, count = b->count;
  const int32_t distance = shape == kRuns ? x : distance_of(c, x);
  const int is_one_piece = shape == kRuns || x % c->piece + count <= c->piece;
  for (int j = 0; j < 4; ++j) {
    const patchnas_dsp_column* const column = &c->columns[j];
    if (is_one_piece && y >= column->runs_begin && y < column->runs_end && x >= column->begin &&
        x + count <= column->end) {
      from[j] = column->corner + y * c->run_pitch + distance;
    } else {
      gather(c, column, zero_point, y, x, count, gathered[j], shape);
      from[j] = gathered[j];
    }
  }
  return widen_values(to, from, count, factor);
}

/* The same of a piece that is inside the image or not; outside it reads `padding`. */
static __attribute__((noinline)) void widen_apart(const patchnas_dsp_columns* c,
                                                  const int8_t* padding, const block* b,
                                                  widened_word* to) {
  const int8_t* from[4];
  const int32_t y = b->y, x = b->x;
  const int32_t distance = y * c->run_pitch + distance_of(c, x);
  for (int j = 0; j < 4; ++j) {
    const patchnas_dsp_column* const column = &c->columns[j];
    const int is_inside =
        y >= column->runs_begin && y < column->runs_end && x >= column->begin && x < column->end;
    from[j] = is_inside ? column->corner + distance : padding;
  }
  widen_values(to, from, b->count, kOnce);
}

static __attribute__((noinline)) widened_word* widen_runs(const patchnas_dsp_columns* c,
                                                          int32_t zero_point, const block* b,
                                                          int8_t gathered[4][kBlockTerms],
                                                          widened_word* to, enum factor factor) {
  return widen_block(c, zero_point, b, gathered, to, factor, kRuns);
}

static __attribute__((noinline)) widened_word* widen_pieces(const patchnas_dsp_columns* c,
                                                            int32_t zero_point, const block* b,
                                                            int8_t gathered[4][kBlockTerms],
                                                            widened_word* to, enum factor factor) {
  return widen_block(c, zero_point, b, gathered, to, factor, kPieces);
}

#endif
