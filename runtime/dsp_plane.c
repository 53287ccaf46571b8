/* The loops below need every register, whatever the rest of a program is compiled with, and loops
 * that fill words are to stay loops: there may be no memset. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__arm__)
#pragma GCC optimize("O2", "omit-frame-pointer", "no-tree-loop-distribute-patterns")
#endif

#include "runtime/simd.h"

#if defined(PATCHNAS_DSP) && !defined(PATCHNAS_MVE)
#include "runtime/dsp_plane.h"

/* Two rows of a channel's plane become one row of words, each two values one below the other, which
 * SMLAD multiplies with two weights at once. The windows of one output row, with stride 1 of two,
 * touch kMostPairs rows of words or fewer; with stride 1 the weights of the second one are shifted
 * by a row. Going down by two rows replaces one row of words, the oldest. With stride 2 a row has
 * its even columns' words first, then the odd ones', so that neighbours' windows touch words side
 * by side. */
enum { kMostSize = 7, kMostPairs = 4, kWords = 120, kBeyond = 3 /* words read, but not used */ };

/* Per row of words an address and the weights that its words meet; with stride 2 twice, for the
 * even and for the odd columns. */
enum {
  kTableWords = kMostPairs * (kMostSize + 1),
  kMostTableWords = 2 * kTableWords,
  kRowTableWords = kMostPairs * (kMostSize + 2) /* for one output row */
};

/* What the rows of one channel share. */
typedef struct channel_job {
  patchnas_dsp_scale scale;
  int32_t bias, cols, pitch;
} channel_job;

PATCHNAS_ALWAYS_INLINE int32_t pairs_of(int32_t size) { return (size + 1) / 2; }

/* ---- Weights, doubled ---- */

/* One column's: for the first output row, and, if there is one, for the second. */
PATCHNAS_ALWAYS_INLINE void load_column(const int8_t* from, int32_t row_pitch, int32_t size,
                                        int32_t entry, uint32_t* first, uint32_t* second) {
  int32_t above = 0;
#pragma GCC unroll 4
  for (int32_t i = 0; i < pairs_of(size); ++i) {
    const int32_t low = *from;
    const int32_t high = 2 * i + 1 < size ? from[row_pitch] : 0;
    from += 2 * row_pitch;
    first[i * entry] = patchnas_dsp_doubled_pair(low, high);
    if (second) {
      second[i * entry] = patchnas_dsp_doubled_pair(above, low);
      above = high;
    }
  }
}

PATCHNAS_ALWAYS_INLINE void load_weights_of(const int8_t* from, int32_t channels, int32_t size,
                                            int32_t stride, uint32_t* first, uint32_t* second) {
  const int32_t row_pitch = size * channels;
  const int32_t entry = size + stride;
  const int8_t* const end = from + row_pitch;
  uint32_t* to = first + 1;
  if (stride == 2) {
    for (const int8_t* at = from; at < end; at += 2 * channels) {
      load_column(at, row_pitch, size, entry, to++, 0);
    }
    ++to;
    for (const int8_t* at = from + channels; at < end; at += 2 * channels) {
      load_column(at, row_pitch, size, entry, to++, 0);
    }
  } else if (second) {
    for (++second; from < end; from += channels) {
      load_column(from, row_pitch, size, entry, to++, second++);
    }
  } else {
    for (; from < end; from += channels) {
      load_column(from, row_pitch, size, entry, to++, 0);
    }
  }
}

/* `second` may be null. */
typedef void load_weights(const int8_t* from, int32_t channels, uint32_t* first, uint32_t* second);

#define LOAD_WEIGHTS(name, size, stride)                                            \
  static __attribute__((noinline)) void name(const int8_t* from, int32_t channels,  \
                                             uint32_t* first, uint32_t* second) {   \
    load_weights_of(from, channels, size, stride, first, stride == 1 ? second : 0); \
  }
LOAD_WEIGHTS(load_3_stride_1, 3, 1)
LOAD_WEIGHTS(load_3_stride_2, 3, 2)
LOAD_WEIGHTS(load_5_stride_1, 5, 1)
LOAD_WEIGHTS(load_5_stride_2, 5, 2)
LOAD_WEIGHTS(load_7_stride_1, 7, 1)
LOAD_WEIGHTS(load_7_stride_2, 7, 2)

/* ---- Widening ---- */

/* Where the words of columns go: alternately to two places. */
typedef struct places {
  uint32_t *next, *next_but_one;
} places;

/* Values of two rows, whose columns are so far apart. */
typedef struct two_rows {
  const int8_t *first, *second;
  int32_t pitch;
} two_rows;

#define PAIR_OF(word, at)    \
  "ldrsb " word ", [%[a]" at \
  "] \n\t"                   \
  "ldrsb %[v], [%[b]" at     \
  "] \n\t"                   \
  "pkhbt " word ", " word ", %[v], lsl #16 \n\t"
#define NEXT_OF(row) "add %[" row "], %[" row "], %[p], lsl #2 \n\t"
#define TO_ONE_PLACE "stmia %[to]!, {r0, r1, r2, r3} \n\t"
#define TO_TWO_PLACES             \
  "strd r0, r2, [%[to]], #8 \n\t" \
  "strd r1, r3, [%[to_2]], #8 \n\t"
#define PAIRS                                                                         \
  "1: \n\t" PAIR_OF("r0", "") PAIR_OF("r1", ", %[p]") PAIR_OF("r2", ", %[p], lsl #1") \
      PAIR_OF("r3", ", %[p3]") NEXT_OF("a") NEXT_OF("b")
#define TWO_ON(row) "add %[" row "], %[" row "], %[p], lsl #1 \n\t"
#define PAIRS_WITHOUT_P3                                                                        \
  "1: \n\t" PAIR_OF("r0", "") PAIR_OF("r1", ", %[p]") TWO_ON("a") TWO_ON("b") PAIR_OF("r2", "") \
      PAIR_OF("r3", ", %[p]") TWO_ON("a") TWO_ON("b")
/* Of rows whose columns are differently far apart: p of the first, q of the second. */
#define EDGE_PAIRS                    \
  "1: \n\t"                           \
  "ldrsb r0, [%[a]] \n\t"             \
  "ldrsb %[v], [%[b]] \n\t"           \
  "pkhbt r0, r0, %[v], lsl #16 \n\t"  \
  "ldrsb r1, [%[a], %[p]] \n\t"       \
  "ldrsb %[v], [%[b], %[q]] \n\t"     \
  "pkhbt r1, r1, %[v], lsl #16 \n\t"  \
  "add %[a], %[a], %[p], lsl #1 \n\t" \
  "add %[b], %[b], %[q], lsl #1 \n\t" \
  "ldrsb r2, [%[a]] \n\t"             \
  "ldrsb %[v], [%[b]] \n\t"           \
  "pkhbt r2, r2, %[v], lsl #16 \n\t"  \
  "ldrsb r3, [%[a], %[p]] \n\t"       \
  "ldrsb %[v], [%[b], %[q]] \n\t"     \
  "pkhbt r3, r3, %[v], lsl #16 \n\t"  \
  "add %[a], %[a], %[p], lsl #1 \n\t" \
  "add %[b], %[b], %[q], lsl #1 \n\t"
#define SINGLES                         \
  "1: \n\t"                             \
  "ldrsb r0, [%[a]] \n\t"               \
  "ldrsb r1, [%[a], %[p]] \n\t"         \
  "ldrsb r2, [%[a], %[p], lsl #1] \n\t" \
  "ldrsb r3, [%[a], %[p3]] \n\t" NEXT_OF("a")
#define LOOP                 \
  "subs %[n], %[n], #4 \n\t" \
  "bne 1b"

/* Two rows. */
PATCHNAS_ALWAYS_INLINE void widen_pairs(two_rows from, int32_t count, places to, int32_t stride) {
  const int32_t pitch3 = 3 * from.pitch;
  int32_t fours = count & ~3;
  int32_t v;
  if (fours > 0) {
    if (stride == 1) {
      __asm__ volatile(PAIRS TO_ONE_PLACE LOOP
                       : [a] "+r"(from.first), [b] "+r"(from.second), [to] "+r"(to.next),
                         [n] "+r"(fours), [v] "=&r"(v)
                       : [p] "r"(from.pitch), [p3] "r"(pitch3)
                       : "r0", "r1", "r2", "r3", "memory", "cc");
      to.next_but_one = to.next + 1;
    } else {
      __asm__ volatile(PAIRS_WITHOUT_P3 TO_TWO_PLACES LOOP
                       : [a] "+r"(from.first), [b] "+r"(from.second), [to] "+r"(to.next),
                         [to_2] "+r"(to.next_but_one), [n] "+r"(fours), [v] "=&r"(v)
                       : [p] "r"(from.pitch)
                       : "r0", "r1", "r2", "r3", "memory", "cc");
    }
  }
  const int32_t rest = count & 3;
  const int8_t* const a = from.first;
  const int8_t* const b = from.second;
  if (rest > 0) {
    to.next[0] = patchnas_dsp_pair(a[0], b[0]);
  }
  if (rest > 1) {
    to.next_but_one[0] = patchnas_dsp_pair(a[from.pitch], b[from.pitch]);
  }
  if (rest > 2) {
    to.next[stride == 1 ? 2 : 1] = patchnas_dsp_pair(a[2 * from.pitch], b[2 * from.pitch]);
  }
}

/* One row, where the other one's values meet no weights. */
PATCHNAS_ALWAYS_INLINE void widen_singles(two_rows from, int32_t count, places to, int32_t stride) {
  const int32_t pitch3 = 3 * from.pitch;
  int32_t fours = count & ~3;
  if (fours > 0) {
    if (stride == 1) {
      __asm__ volatile(SINGLES TO_ONE_PLACE LOOP
                       : [a] "+r"(from.first), [to] "+r"(to.next), [n] "+r"(fours)
                       : [p] "r"(from.pitch), [p3] "r"(pitch3)
                       : "r0", "r1", "r2", "r3", "memory", "cc");
      to.next_but_one = to.next + 1;
    } else {
      __asm__ volatile(
          SINGLES TO_TWO_PLACES LOOP
          : [a] "+r"(from.first), [to] "+r"(to.next), [to_2] "+r"(to.next_but_one), [n] "+r"(fours)
          : [p] "r"(from.pitch), [p3] "r"(pitch3)
          : "r0", "r1", "r2", "r3", "memory", "cc");
    }
  }
  const int32_t rest = count & 3;
  const int8_t* const a = from.first;
  if (rest > 0) {
    to.next[0] = (uint32_t)a[0];
  }
  if (rest > 1) {
    to.next_but_one[0] = (uint32_t)a[from.pitch];
  }
  if (rest > 2) {
    to.next[stride == 1 ? 2 : 1] = (uint32_t)a[2 * from.pitch];
  }
}

PATCHNAS_ALWAYS_INLINE uint32_t* words_at(uint32_t address) {
  return (uint32_t*)(uintptr_t)address;
}

/* Columns that are computed together. */
typedef struct block {
  const int8_t* values; /* of the first channel in the plane's first row, first column inside */
  int32_t before, inside, width; /* columns of the plane, those inside the image */
  int32_t place, next_place;     /* of the words of the first two inside */
  int32_t stride;
  int32_t zero_point;
} block;

/* Where the word of a column is in a row. */
static int32_t place_of(int32_t col, int32_t width, int32_t stride) {
  return stride == 1 ? col : (col >> 1) + (col & 1) * ((width + 1) >> 1);
}

/* Two rows of the plane of which not both are inside the image. */
static __attribute__((noinline)) void widen_edge(const patchnas_dsp_plane* p, const block* b,
                                                 const int8_t* values, int32_t row,
                                                 uint32_t* words) {
  const int8_t zero_point = (int8_t)b->zero_point;
  const int8_t* first = &zero_point;
  const int8_t* second = &zero_point;
  int32_t pitch = 0, second_pitch = 0;
  if (row >= p->rows.begin && row < p->rows.end) {
    first = values;
    pitch = p->pitch;
  }
  if (row + 1 >= p->rows.begin && row + 1 < p->rows.end) {
    second = values + p->row_pitch;
    second_pitch = p->pitch;
  }
  places to = {words + b->place, words + b->next_place};
  int32_t fours = b->inside & ~3;
  int32_t v;
  if (fours > 0) {
    if (b->stride == 1) {
      __asm__ volatile(
          EDGE_PAIRS TO_ONE_PLACE LOOP
          : [a] "+r"(first), [b] "+r"(second), [to] "+r"(to.next), [n] "+r"(fours), [v] "=&r"(v)
          : [p] "r"(pitch), [q] "r"(second_pitch)
          : "r0", "r1", "r2", "r3", "memory", "cc");
      to.next_but_one = to.next + 1;
    } else {
      __asm__ volatile(EDGE_PAIRS TO_TWO_PLACES LOOP
                       : [a] "+r"(first), [b] "+r"(second), [to] "+r"(to.next),
                         [to_2] "+r"(to.next_but_one), [n] "+r"(fours), [v] "=&r"(v)
                       : [p] "r"(pitch), [q] "r"(second_pitch)
                       : "r0", "r1", "r2", "r3", "memory", "cc");
    }
  }
  const int32_t step = b->stride == 1 ? 2 : 1;
  for (int32_t left = b->inside & 3; left > 0; --left, first += pitch, second += second_pitch) {
    *to.next = patchnas_dsp_pair(*first, *second);
    uint32_t* const after = to.next + step;
    to.next = to.next_but_one;
    to.next_but_one = after;
  }
}

/* Rows of the plane of one channel, from `row` on, which begins at `row_values`, to the rows of
 * words whose addresses are in the table from `at` to `last`. */
PATCHNAS_ALWAYS_INLINE void widen_rows_of(const patchnas_dsp_plane* p, const block* b,
                                          const int8_t* row_values, int32_t row, const uint32_t* at,
                                          const uint32_t* last, int32_t entry, int32_t stride) {
  for (;; at += entry, row += 2, row_values += 2 * p->row_pitch) {
    uint32_t* const words = words_at(*at);
    const places to = {words + b->place, words + b->next_place};
    if (row >= p->rows.begin && row + 2 <= p->rows.end) {
      widen_pairs((two_rows){row_values, row_values + p->row_pitch, p->pitch}, b->inside, to,
                  stride);
    } else if (row >= p->rows.begin && row + 1 == p->height && row < p->rows.end) {
      widen_singles((two_rows){row_values, 0, p->pitch}, b->inside, to, stride);
    } else {
      widen_edge(p, b, row_values, row, words);
    }
    if (at == last) {
      return;
    }
  }
}

static __attribute__((noinline)) void widen_rows_1(const patchnas_dsp_plane* p, const block* b,
                                                   const int8_t* row_values, int32_t row,
                                                   const uint32_t* at, const uint32_t* last,
                                                   int32_t entry) {
  widen_rows_of(p, b, row_values, row, at, last, entry, 1);
}

static __attribute__((noinline)) void widen_rows_2(const patchnas_dsp_plane* p, const block* b,
                                                   const int8_t* row_values, int32_t row,
                                                   const uint32_t* at, const uint32_t* last,
                                                   int32_t entry) {
  widen_rows_of(p, b, row_values, row, at, last, entry, 2);
}

/* What is outside the image: columns of all rows of words. */
PATCHNAS_ALWAYS_INLINE void fill_columns(const block* b, int32_t begin, int32_t end, int32_t pairs,
                                         uint32_t* words) {
  const uint32_t padding = patchnas_dsp_pair(b->zero_point, b->zero_point);
  for (int32_t col = begin; col < end; ++col) {
    uint32_t* to = words + place_of(col, b->width, b->stride);
    for (int32_t i = 0; i < pairs; ++i, to += b->width) {
      *to = padding;
    }
  }
}

/* ---- Multiplying ---- */

/* A weight pair times the words of four outputs; words side by side times one to seven pairs. The
 * table's next address is that of the first output's row. */
#define TAP(v0, v1, v2, v3)   \
  "ldr %[w], [%[t]], #4 \n\t" \
  "smlad %[s0], " v0          \
  ", %[w], %[s0] \n\t"        \
  "smlad %[s1], " v1          \
  ", %[w], %[s1] \n\t"        \
  "smlad %[s2], " v2          \
  ", %[w], %[s2] \n\t"        \
  "smlad %[s3], " v3 ", %[w], %[s3] \n\t"
#define ADDRESS             \
  "ldr r0, [%[t]], #4 \n\t" \
  "add r0, r0, %[x] \n\t"
#define TAPS_1 ADDRESS "ldmia r0, {r0-r3} \n\t" TAP("r0", "r1", "r2", "r3")
#define TAPS_2 \
  ADDRESS "ldmia r0, {r0-r4} \n\t" TAP("r0", "r1", "r2", "r3") TAP("r1", "r2", "r3", "r4")
#define THREE_TAPS \
  TAP("r0", "r1", "r2", "r3") TAP("r1", "r2", "r3", "r4") TAP("r2", "r3", "r4", "r5")
#define TAPS_3 ADDRESS "ldmia r0, {r0-r5} \n\t" THREE_TAPS
#define TAPS_4             \
  ADDRESS                  \
  "ldr r6, [r0, #24] \n\t" \
  "ldmia r0, {r0-r5} \n\t" THREE_TAPS TAP("r3", "r4", "r5", "r6")
#define LONG_ADDRESS        \
  "ldr r6, [%[t]], #4 \n\t" \
  "add r6, r6, %[x] \n\t"   \
  "ldmia r6!, {r0-r5} \n\t"
#define TAPS_5                                                                  \
  LONG_ADDRESS THREE_TAPS "ldmia r6, {r0, r1} \n\t" TAP("r3", "r4", "r5", "r0") \
      TAP("r4", "r5", "r0", "r1")
#define TAPS_7                                                                      \
  LONG_ADDRESS THREE_TAPS "ldmia r6!, {r0, r1} \n\t" TAP(                           \
      "r3", "r4", "r5", "r0") "ldmia r6, {r2, r3} \n\t" TAP("r4", "r5", "r0", "r1") \
      TAP("r5", "r0", "r1", "r2") TAP("r0", "r1", "r2", "r3")

/* One row of outputs, four at a time. The job is copied to where the compiler needs no register to
 * find it. */
#define CONVOLVE_ROW(name, taps)                                                                   \
  static __attribute__((noinline)) void name(const channel_job* given, const uint32_t* table,      \
                                             int8_t* out) {                                        \
    channel_job job = *given;                                                                      \
    for (int32_t x = 0;; x += 16) {                                                                \
      int32_t s0 = job.bias, s1 = s0, s2 = s0, s3 = s0;                                            \
      const uint32_t* t = table;                                                                   \
      uint32_t w;                                                                                  \
      __asm__ volatile(                                                                            \
          taps                                                                                     \
          : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [t] "+r"(t), [w] "=&r"(w), \
            "+m"(job)                                                                              \
          : [x] "r"(x)                                                                             \
          : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "memory");                                   \
      const patchnas_dsp_scale scale = job.scale;                                                  \
      const int32_t pitch = job.pitch;                                                             \
      job.cols -= 4;                                                                               \
      if (job.cols < 0) {                                                                          \
        const int32_t left = job.cols + 4;                                                         \
        if (left > 2) {                                                                            \
          out[2 * pitch] = patchnas_dsp_finish(scale, s2);                                         \
        }                                                                                          \
        if (left > 1) {                                                                            \
          out[pitch] = patchnas_dsp_finish(scale, s1);                                             \
        }                                                                                          \
        if (left > 0) {                                                                            \
          *out = patchnas_dsp_finish(scale, s0);                                                   \
        }                                                                                          \
        return;                                                                                    \
      }                                                                                            \
      *out = patchnas_dsp_finish(scale, s0);                                                       \
      out[pitch] = patchnas_dsp_finish(scale, s1);                                                 \
      out += 2 * pitch;                                                                            \
      *out = patchnas_dsp_finish(scale, s2);                                                       \
      out[pitch] = patchnas_dsp_finish(scale, s3);                                                 \
      out += 2 * pitch;                                                                            \
      if (job.cols == 0) {                                                                         \
        return;                                                                                    \
      }                                                                                            \
    }                                                                                              \
  }
CONVOLVE_ROW(row_3_stride_1, TAPS_3 TAPS_3)
CONVOLVE_ROW(row_3_stride_2, TAPS_2 TAPS_1 TAPS_2 TAPS_1)
CONVOLVE_ROW(row_5_stride_1, TAPS_5 TAPS_5 TAPS_5)
CONVOLVE_ROW(row_5_stride_2, TAPS_3 TAPS_2 TAPS_3 TAPS_2 TAPS_3 TAPS_2)
CONVOLVE_ROW(row_7_stride_1, TAPS_7 TAPS_7 TAPS_7 TAPS_7)
CONVOLVE_ROW(row_7_stride_2, TAPS_4 TAPS_3 TAPS_4 TAPS_3 TAPS_4 TAPS_3 TAPS_4 TAPS_3)

typedef void convolve_row(const channel_job* job, const uint32_t* table, int8_t* out);

/* What is compiled for every size and stride. */
typedef struct functions {
  load_weights* load;
  convolve_row* convolve;
} functions;

static functions functions_of(const patchnas_kernel* k) {
  static const functions all[3][2] = {
      {{load_3_stride_1, row_3_stride_1}, {load_3_stride_2, row_3_stride_2}},
      {{load_5_stride_1, row_5_stride_1}, {load_5_stride_2, row_5_stride_2}},
      {{load_7_stride_1, row_7_stride_1}, {load_7_stride_2, row_7_stride_2}}};
  return all[(k->width - 3) >> 1][k->stride_w - 1];
}

/* Rows of words one after the other. */
static void set_addresses(uint32_t* words, const block* b, int32_t size, uint32_t* table) {
  for (int32_t i = 0; i < pairs_of(size); ++i, table += size + b->stride, words += b->width) {
    table[0] = (uint32_t)(uintptr_t)words;
    if (b->stride == 2) {
      table[pairs_of(size) + 1] = (uint32_t)(uintptr_t)(words + ((b->width + 1) >> 1));
    }
  }
}

/* The oldest row of words becomes the newest, whatever is in it. */
PATCHNAS_ALWAYS_INLINE void rotate(uint32_t* table, int32_t entry, const uint32_t* last) {
  const uint32_t oldest = *table;
  for (; table != last; table += entry) {
    *table = table[entry];
  }
  *table = oldest;
}

/* Channels of a block of columns, one after the other. */
static __attribute__((noinline)) int32_t convolve_block(const patchnas_kernel* k,
                                                        const patchnas_weights* w, int32_t channels,
                                                        int32_t begin, int32_t end,
                                                        const patchnas_dsp_plane* p, const block* b,
                                                        int32_t cols, int8_t* first_out) {
  uint32_t words[kWords + kBeyond];
  uint32_t table[kMostTableWords];
  const int32_t size = k->width;
  const int32_t entry = size + b->stride;
  const int32_t pairs = pairs_of(size);
  uint32_t* const last = table + (pairs - 1) * entry;
  uint32_t* const second = b->stride == 1 && p->out_rows > 1 ? table + kTableWords : 0;
  const int8_t* values = b->values;
  const functions f = functions_of(k);
  channel_job job;
  job.cols = cols;
  job.pitch = p->out_pitch;
  int32_t skipped = 0;
  fill_columns(b, 0, b->before, pairs, words);
  fill_columns(b, b->before + b->inside, b->width, pairs, words);
  set_addresses(words, b, size, table);
  if (second) {
    set_addresses(words, b, size, second);
  }
  for (int32_t c = begin; c < end; ++c, ++values, ++first_out) {
    if (!patchnas_dsp_is_exact(w, c)) {
      ++skipped;
      continue;
    }
    job.scale = patchnas_dsp_scale_of(w, c);
    job.bias = 2 * w->biases[c];
    f.load(w->weights + c, channels, table, second);
    const int8_t* row_values = values;
    int32_t row = 0; /* of the plane, not yet widened */
    const uint32_t* at = table;
    int8_t* out = first_out;
    for (int32_t left = p->out_rows;;) {
      (b->stride == 1 ? widen_rows_1 : widen_rows_2)(p, b, row_values, row, at, last, entry);
      f.convolve(&job, table, out);
      --left;
      if (second && left > 0) {
        out += p->out_row_pitch;
        f.convolve(&job, second, out);
        --left;
      }
      if (left == 0) {
        break;
      }
      row += at == last ? 2 : 2 * pairs;
      row_values = values + row * p->row_pitch;
      at = last;
      rotate(table, entry, last);
      if (second) {
        rotate(second, entry, last + kTableWords);
      } else if (b->stride == 2) {
        rotate(table + pairs + 1, entry, last + pairs + 1);
      }
      out += p->out_row_pitch;
    }
  }
  return skipped;
}

/* The words of columns that the next block's windows share with this one's, of `most` outputs, go
 * to the beginning of their rows. */
PATCHNAS_ALWAYS_INLINE void carry_words(uint32_t* words, const block* b, int32_t size,
                                        int32_t most) {
  const int32_t shared = size - b->stride;
  const int32_t even = b->stride == 1 ? shared : (shared + 1) >> 1;
  uint32_t* odd = words + ((b->width + 1) >> 1);
  for (int32_t pairs = pairs_of(size); pairs > 0; --pairs, words += b->width, odd += b->width) {
    for (int32_t i = 0; i < even; ++i) {
      words[i] = words[most + i];
    }
    for (int32_t i = 0; i < shared - even; ++i) {
      odd[i] = odd[most + i];
    }
  }
}

/* One row of outputs: for each channel a block of at most `most` after the other. */
static __attribute__((noinline)) int32_t convolve_row_in_blocks(
    const patchnas_kernel* k, const patchnas_weights* w, int32_t channels, int32_t begin,
    int32_t end, const patchnas_dsp_plane* p, int32_t row, int32_t most) {
  uint32_t words[kWords + kBeyond];
  uint32_t table[kRowTableWords];
  const int32_t top = row * k->stride_h;
  const int32_t size = k->width;
  const int32_t stride = k->stride_w;
  const int32_t entry = size + stride;
  const int32_t pairs = pairs_of(size);
  uint32_t* const last = table + (pairs - 1) * entry;
  const functions f = functions_of(k);
  block b;
  b.width = (most - 1) * stride + size;
  b.stride = stride;
  b.zero_point = w->input_zero_point;
  channel_job job;
  job.pitch = p->out_pitch;
  int32_t skipped = 0;
  set_addresses(words, &b, size, table);
  for (int32_t c = begin; c < end; ++c) {
    if (!patchnas_dsp_is_exact(w, c)) {
      ++skipped;
      continue;
    }
    job.scale = patchnas_dsp_scale_of(w, c);
    job.bias = 2 * w->biases[c];
    f.load(w->weights + c, channels, table, 0);
    int8_t* out = p->out + row * p->out_row_pitch + (c - begin);
    int32_t there = 0;             /* columns of the block whose words are there */
    int32_t image = p->cols.begin; /* where the image begins and ends, from the block on */
    int32_t image_end = p->cols.end;
    b.values = p->values + top * p->row_pitch + (c - begin);
    for (int32_t left = p->out_cols; left > 0; left -= most) {
      job.cols = left < most ? left : most;
      const int32_t width = (job.cols - 1) * stride + size;
      const int32_t inside_end = image_end < width ? image_end : width;
      b.before = image > there ? image : there;
      b.inside = inside_end > b.before ? inside_end - b.before : 0;
      b.place = place_of(b.before, b.width, stride);
      b.next_place = place_of(b.before + 1, b.width, stride);
      fill_columns(&b, there, b.before, pairs, words);
      fill_columns(&b, b.before + b.inside, width, pairs, words);
      const int8_t* const values = b.values + b.before * p->pitch;
      (stride == 1 ? widen_rows_1 : widen_rows_2)(p, &b, values, top, table, last, entry);
      f.convolve(&job, table, out);
      if (left > most) {
        carry_words(words, &b, size, most);
      }
      there = size - stride;
      image -= most * stride;
      image_end -= most * stride;
      b.values += most * stride * p->pitch;
      out += most * p->out_pitch;
    }
  }
  return skipped;
}

/* Outputs of a row at a time, for which there is room, in fours. */
static int32_t most_cols(const patchnas_kernel* k) {
  return ((kWords / pairs_of(k->width) - k->width) / k->stride_w + 1) & ~3;
}

int patchnas_dsp_convolves_planes(const patchnas_kernel* k) {
  return k->height == k->width && (k->height == 3 || k->height == 5 || k->height == 7) &&
         k->stride_h == k->stride_w && (k->stride_h == 1 || k->stride_h == 2);
}

int patchnas_dsp_is_apart(const patchnas_dsp_plane* p) {
  const uintptr_t in =
      (uintptr_t)(p->values + p->rows.begin * p->row_pitch + p->cols.begin * p->pitch);
  const uintptr_t in_end =
      (uintptr_t)(p->values + (p->rows.end - 1) * p->row_pitch + p->cols.end * p->pitch);
  const uintptr_t out = (uintptr_t)p->out;
  const uintptr_t out_end =
      (uintptr_t)(p->out + (p->out_rows - 1) * p->out_row_pitch + p->out_cols * p->out_pitch);
  return out >= in_end || in >= out_end;
}

PATCHNAS_ALWAYS_INLINE uintptr_t address_of(const patchnas_dsp_plane* p, int32_t row, int32_t col) {
  return (uintptr_t)(p->values + row * p->row_pitch + col * p->pitch);
}

/* From left to right over a row of the window from its last column on, or behind it, after the rows
 * above; and before what the next outputs read. */
static int writes_row_behind(const patchnas_kernel* k, const patchnas_dsp_plane* p, int32_t row) {
  const int32_t top = row * k->stride_h;
  const int32_t end = top + k->height < p->rows.end ? top + k->height : p->rows.end;
  const uintptr_t out = (uintptr_t)(p->out + row * p->out_row_pitch);
  int32_t over = top < p->rows.begin ? p->rows.begin : top;
  if (row + 1 < p->out_rows && out + (uint32_t)(p->out_cols * p->out_pitch) >
                                   address_of(p, top + k->stride_h, p->cols.begin)) {
    return 0;
  }
  for (uintptr_t above = 0; over < end; above = address_of(p, over++, p->cols.end)) {
    if (out <= address_of(p, over, k->width - 1)) {
      return out >= above;
    }
  }
  return 0;
}

int patchnas_dsp_writes_rows_behind(const patchnas_kernel* k, const patchnas_dsp_plane* p) {
  if (k->stride_h == 1 && p->out_rows > 1) {
    return 0; /* it would depend on some pixels more or less, and so would what a call takes */
  }
  for (int32_t row = 0; row < p->out_rows; ++row) {
    if (!writes_row_behind(k, p, row)) {
      return 0;
    }
  }
  return 1;
}

/* Rows of outputs that all rows of words together give. */
PATCHNAS_ALWAYS_INLINE int32_t band_rows(const patchnas_kernel* k) {
  return k->stride_h == 1 ? 2 : 1;
}

int patchnas_dsp_writes_behind(const patchnas_kernel* k, const patchnas_dsp_plane* p) {
  const int32_t rows = band_rows(k);
  if (p->out_cols > most_cols(k)) { /* many rows are computed faster from a copy, as measured */
    return p->out_rows <= 2 && patchnas_dsp_writes_rows_behind(k, p);
  }
  if (p->out_rows <= rows) {
    return 1;
  }
  const uintptr_t written_end =
      (uintptr_t)(p->out + (rows - 1) * p->out_row_pitch + p->out_cols * p->out_pitch);
  const uintptr_t unread = address_of(p, 2 * pairs_of(k->width), p->cols.begin);
  return p->out_row_pitch <= p->row_pitch && written_end <= unread;
}

int patchnas_dsp_planes_scale(const patchnas_weights* w, int32_t channel) {
  return patchnas_dsp_is_exact(w, channel);
}

int32_t patchnas_dsp_convolve_planes(const patchnas_kernel* kernel, const patchnas_weights* weights,
                                     int32_t channels, int32_t begin, int32_t end,
                                     const patchnas_dsp_plane* p) {
  const int32_t stride = kernel->stride_w;
  const int32_t blocks = (p->out_cols - 1) / most_cols(kernel) + 1;
  const int32_t most = (p->out_cols + 4 * blocks - 1) / (4 * blocks) * 4;
  int32_t skipped = 0;
  if (blocks > 1 && (p->out_rows == 1 || !patchnas_dsp_is_apart(p))) {
    for (int32_t row = 0; row < p->out_rows; ++row) {
      skipped = convolve_row_in_blocks(kernel, weights, channels, begin, end, p, row, most);
    }
    return skipped;
  }
  for (int32_t col = 0; col < p->out_cols; col += most) {
    const int32_t cols = p->out_cols - col < most ? p->out_cols - col : most;
    const int32_t width = (cols - 1) * stride + kernel->width;
    const int32_t first = col * stride;
    const int32_t before = p->cols.begin > first ? p->cols.begin - first : 0;
    const int32_t inside_end = p->cols.end - first < width ? p->cols.end - first : width;
    const block b = {p->values + (first + before) * p->pitch,
                     before,
                     inside_end > before ? inside_end - before : 0,
                     width,
                     place_of(before, width, stride),
                     place_of(before + 1, width, stride),
                     stride,
                     weights->input_zero_point};
    skipped = convolve_block(kernel, weights, channels, begin, end, p, &b, cols,
                             p->out + col * p->out_pitch);
  }
  return skipped;
}
#else
typedef int patchnas_dsp_plane_is_empty; /* ISO C wants a declaration in every file */
#endif
