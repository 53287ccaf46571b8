#if defined(__GNUC__) && !defined(__clang__) && defined(__arm__)
#pragma GCC optimize("O2", "omit-frame-pointer")
#endif

#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve_strip.h"

/* A strip is a few rows of the plane, column by column, so that windows lie within few vectors. Of
 * six rows, a window of 3x3 values lies within one: one load and one multiplication give its sum.
 * It gives four rows of outputs. */
enum { kSize = 3, kStripRows = 6, kOutRows = 4, kVectorBytes = 16, kChannels = 4 };

/* What fits into registers beside what is loaded. */
enum { kMostSize = 7, kMostVectors = 6 };

/* Rows of bytes, and how far it is from one to the next in a row, and from row to row. */
typedef struct bytes {
  int8_t* first;
  int32_t pitch, row_pitch;
} bytes;

/* `count` bytes of each of `rows` rows. */
static void copy(const int8_t* from, int32_t from_pitch, int32_t from_row_pitch, bytes to,
                 int32_t rows, int32_t count) {
  const uint16x8_t from_at = patchnas_mve_offsets_of_8(from_pitch);
  const uint16x8_t to_at = patchnas_mve_offsets_of_8(to.pitch);
  const int32_t blocks = (count + 7) >> 3;
  from_pitch *= 8;
  to.pitch *= 8;
  from_row_pitch -= blocks * from_pitch;
  to.row_pitch -= blocks * to.pitch;
  __asm__ volatile(
      "1: \n\t"
      "dlstp.16 lr, %[count] \n"
      "2: \n\t"
      "vldrb.u16 q0, [%[from], %q[from_at]] \n\t"
      "vstrb.16 q0, [%[to], %q[to_at]] \n\t"
      "add %[from], %[from], %[from_pitch] \n\t"
      "add %[to], %[to], %[to_pitch] \n\t"
      "letp lr, 2b \n\t"
      "add %[from], %[from], %[from_next] \n\t"
      "add %[to], %[to], %[to_next] \n\t"
      "subs %[rows], %[rows], #1 \n\t"
      "bne 1b"
      : [from] "+&r"(from), [to] "+&r"(to.first), [rows] "+&r"(rows)
      : [from_at] "w"(from_at), [to_at] "w"(to_at), [count] "r"(count),
        [from_pitch] "r"(from_pitch), [to_pitch] "r"(to.pitch), [from_next] "r"(from_row_pitch),
        [to_next] "r"(to.row_pitch)
      : "q0", "lr", "cc", "memory");
}

PATCHNAS_ALWAYS_INLINE bytes rows_of_strip(int8_t* strip, int32_t row, int32_t col) {
  const bytes rows = {strip + col * kStripRows + row, kStripRows, 1};
  return rows;
}

static void fill(int8_t* strip, int32_t row, int32_t row_end, int32_t width, int8_t value) {
  if (row < row_end) {
    copy(&value, 0, 0, rows_of_strip(strip, row, 0), row_end - row, width);
  }
}

static int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }
static int32_t greatest(int32_t a, int32_t b) { return a > b ? a : b; }

/* The plane's rows from `first` on. */
static void load(const patchnas_mve_plane* p, int32_t channel, int32_t first, int8_t zero_point) {
  int8_t* const strip = p->values;
  int32_t row = 0;
  if (first > 0) { /* these may already be overwritten where they came from */
    row = kStripRows - kOutRows;
    copy(strip + kOutRows, kStripRows, 1, rows_of_strip(strip, 0, 0), row, p->width);
  }
  const int32_t end = least(p->height - first, kStripRows);
  const int32_t inside = greatest(p->inside_row - first, row);
  const int32_t inside_end = least(p->inside_row + p->inside_rows - first, end);
  if (inside < inside_end) {
    copy(p->in + channel + (first + inside - p->inside_row) * p->in_row_pitch, p->channels,
         p->in_row_pitch, rows_of_strip(strip, inside, p->inside_col), inside_end - inside,
         p->inside_cols);
  }
  if (p->height > kStripRows) { /* in a single strip nothing overwrites what is outside */
    fill(strip, row, least(inside, end), p->width, zero_point);
    fill(strip, greatest(inside_end, row), end, p->width, zero_point);
  }
}

/* The windows' weights for four channels from `from` on, fewer at the end, as their values lie in a
 * strip. */
static void load_weights(const int8_t* from, int32_t channels, int32_t count, int8_t* taps) {
  const uint32x4_t at = patchnas_mve_offsets_of_4(kVectorBytes);
  const mve_pred16_t lanes = vctp32q((uint32_t)count);
  for (int32_t y = 0; y < kSize; ++y, ++taps) {
    for (int32_t x = 0; x < kSize; ++x, from += channels) {
      vstrbq_scatter_offset_s32(taps + x * kStripRows, at, vldrbq_z_s32(from, lanes));
    }
  }
}

/* What the outputs of one channel share. */
typedef struct channel_scale {
  patchnas_mve_scale scale;
  int32_t bias;
  int all_right;
} channel_scale;

PATCHNAS_ALWAYS_INLINE int32x4_t finish(const patchnas_weights* w, const channel_scale* c,
                                        int32x4_t products) {
  const int32x4_t sums = vaddq_n_s32(products, c->bias);
  return c->all_right ? patchnas_mve_finish_right(w, c->scale, sums)
                      : patchnas_mve_finish(w, c->scale, sums);
}

/* The sums of the windows of a column's four outputs. */
PATCHNAS_ALWAYS_INLINE int32x4_t sum_windows(const int8_t* column, int8x16_t weights) {
  int32x4_t v;
  int32_t s0, s1, s2, s3;
  __asm__(
      "vldrb.8 %q[v], [%[x]] \n\t"
      "vmladav.s8 %[s0], %q[v], %q[w] \n\t"
      "vldrb.8 %q[v], [%[x], #1] \n\t"
      "vmladav.s8 %[s1], %q[v], %q[w] \n\t"
      "vldrb.8 %q[v], [%[x], #2] \n\t"
      "vmladav.s8 %[s2], %q[v], %q[w] \n\t"
      "vldrb.8 %q[v], [%[x], #3] \n\t"
      "vmladav.s8 %[s3], %q[v], %q[w] \n\t"
      "vmov %q[v][2], %q[v][0], %[s0], %[s2] \n\t"
      "vmov %q[v][3], %q[v][1], %[s1], %[s3]"
      : [v] "=&w"(v), [s0] "=&Te"(s0), [s1] "=&Te"(s1), [s2] "=&Te"(s2), [s3] "=&Te"(s3)
      : [w] "w"(weights), [x] "r"(column)
      : "memory");
  return v;
}

typedef enum care_taken { kFast, kCareful } care_taken;

/* Careful: any shift, fewer than four rows. */
PATCHNAS_ALWAYS_INLINE void convolve(const patchnas_weights* w, int32_t channel, const int8_t* taps,
                                     const patchnas_mve_plane* p, int8_t* out, int32_t rows,
                                     care_taken care) {
  const patchnas_mve_scale scale = {vdupq_n_s32(w->multipliers[channel]),
                                    vdupq_n_s32(w->shifts[channel])};
  const int32_t bias = w->biases[channel];
  const int8x16_t weights = vldrbq_s8(taps);
  const uint32x4_t at = patchnas_mve_offsets_of_4(p->out_row_pitch);
  const mve_pred16_t lanes = vctp32q((uint32_t)rows);
  const int32_t channels = p->channels;
  const int8_t* x = p->values;
  for (int32_t left = p->out_cols; left > 0; --left, x += kStripRows, out += channels) {
    const int32x4_t sums = vaddq_n_s32(sum_windows(x, weights), bias);
    if (care == kFast) {
      vstrbq_scatter_offset_s32(out, at, patchnas_mve_finish_right(w, scale, sums));
    } else {
      vstrbq_scatter_offset_p_s32(out, at, patchnas_mve_finish(w, scale, sums), lanes);
    }
  }
}

static __attribute__((noinline)) void convolve_strip(const patchnas_weights* w, int32_t channel,
                                                     const int8_t* taps,
                                                     const patchnas_mve_plane* p, int8_t* out,
                                                     int32_t rows) {
  if (rows >= kOutRows && w->shifts[channel] < 0) {
    convolve(w, channel, taps, p, out, rows, kFast);
  } else {
    convolve(w, channel, taps, p, out, rows, kCareful);
  }
}

/* 1 if outputs lie over values of rows that have been read. */
static int writes_behind(const patchnas_mve_plane* p) {
  return p->inside_row < kSize && p->in_row_pitch >= p->out_row_pitch && p->in >= p->out;
}

int patchnas_mve_convolves_strips(const patchnas_kernel* k, const patchnas_mve_plane* p) {
  return k->height == kSize && k->width == kSize && k->stride_h == 1 && k->stride_w == 1 &&
         (p->out_rows == kOutRows || p->out_rows >= 2 * kOutRows) &&
         (writes_behind(p) || patchnas_mve_is_apart(p)) &&
         p->channels <= PATCHNAS_MVE_MOST_CHANNELS;
}

void patchnas_mve_convolve_strips(const patchnas_weights* weights, const patchnas_mve_plane* p) {
  const int8_t zero_point = (int8_t)weights->input_zero_point;
  int8_t taps[kChannels * kVectorBytes];
  patchnas_mve_fill(taps, sizeof taps, 0);
  fill(p->values, 0, kStripRows, p->width, zero_point);
  for (int32_t c = 0; c < p->channels; ++c) {
    if (c % kChannels == 0) {
      load_weights(weights->weights + c, p->channels, p->channels - c, taps);
    }
    int8_t* out = p->out + c;
    for (int32_t row = 0; row < p->out_rows; row += kOutRows, out += kOutRows * p->out_row_pitch) {
      load(p, c, row, zero_point);
      convolve_strip(weights, c, taps + c % kChannels * kVectorBytes, p, out, p->out_rows - row);
    }
  }
}

/* ---- One to four rows of any kernel ---- */

/* Outputs four at a time, beside each other in a row or one below the other: `lines` lines of
 * `count`. */
typedef struct lines {
  const int8_t* first; /* the first window's values */
  int8_t* out;
  int32_t count, step, pitch; /* from one output to the next: in the strip, in the output */
  int32_t lines, line_step, line_pitch;
} lines;

static lines across(const patchnas_kernel* k, const patchnas_mve_plane* p) {
  const lines l = {p->values,   p->out,      p->out_cols, k->stride_w * p->height,
                   p->channels, p->out_rows, k->stride_h, p->out_row_pitch};
  return l;
}

static lines down(const patchnas_kernel* k, const patchnas_mve_plane* p) {
  const lines l = {p->values,
                   p->out,
                   p->out_rows,
                   k->stride_h,
                   p->out_row_pitch,
                   p->out_cols,
                   k->stride_w * p->height,
                   p->channels};
  return l;
}

/* Four windows' sums, from `x` on, which moves on by `d`, `d2`, `d3` and `d`; windows are of one to
 * six vectors. */
#define FIRST_VECTOR(s)        \
  "vldrb.8 %q[v], [%[x]] \n\t" \
  "vmladav.s8 %[" s "], %q[v], %q[w0] \n\t"
#define VECTOR(s, i, at)       \
  "vldrb.8 %q[v], [%[x], #" at \
  "] \n\t"                     \
  "vmladava.s8 %[" s "], %q[v], %q[w" i "] \n\t"
#define VECTORS_1(s) FIRST_VECTOR(s)
#define VECTORS_2(s) VECTORS_1(s) VECTOR(s, "1", "16")
#define VECTORS_3(s) VECTORS_2(s) VECTOR(s, "2", "32")
#define VECTORS_4(s) VECTORS_3(s) VECTOR(s, "3", "48")
#define VECTORS_5(s) VECTORS_4(s) VECTOR(s, "4", "64")
#define VECTORS_6(s) VECTORS_5(s) VECTOR(s, "5", "80")
#define NEXT(d) "add %[x], %[x], %[" d "] \n\t"
#define SUM_WINDOWS(vectors, ...) \
  __asm__(vectors("s0") NEXT("d") vectors("s1") NEXT("d2") vectors("s2") NEXT("d3")             \
              vectors("s3") NEXT("d") "vmov %q[v][2], %q[v][0], %[s0], %[s2] \n\t"              \
                                      "vmov %q[v][3], %q[v][1], %[s1], %[s3]"                   \
          : [v] "=&w"(v), [s0] "=&Te"(s0), [s1] "=&Te"(s1), [s2] "=&Te"(s2), [s3] "=&Te"(s3),   \
            [x] "+r"(*x)                                                                        \
          : [d] "r"(d), [d2] "r"(d2), [d3] "r"(d3), __VA_ARGS__                                 \
          : "memory")

/* The windows' weights; those that are not used are not set. */
typedef struct window_weights {
  int8x16_t w0, w1, w2, w3, w4, w5;
} window_weights;

PATCHNAS_ALWAYS_INLINE int32x4_t sum_vectors(const int8_t** x, int32_t d, int32_t d2, int32_t d3,
                                             window_weights w, int32_t vectors) {
  int32x4_t v;
  int32_t s0, s1, s2, s3;
  switch (vectors) {
    case 1:
      SUM_WINDOWS(VECTORS_1, [w0] "w"(w.w0));
      break;
    case 2:
      SUM_WINDOWS(VECTORS_2, [w0] "w"(w.w0), [w1] "w"(w.w1));
      break;
    case 3:
      SUM_WINDOWS(VECTORS_3, [w0] "w"(w.w0), [w1] "w"(w.w1), [w2] "w"(w.w2));
      break;
    case 4:
      SUM_WINDOWS(VECTORS_4, [w0] "w"(w.w0), [w1] "w"(w.w1), [w2] "w"(w.w2), [w3] "w"(w.w3));
      break;
    case 5:
      SUM_WINDOWS(VECTORS_5, [w0] "w"(w.w0), [w1] "w"(w.w1), [w2] "w"(w.w2), [w3] "w"(w.w3),
                  [w4] "w"(w.w4));
      break;
    default:
      SUM_WINDOWS(VECTORS_6, [w0] "w"(w.w0), [w1] "w"(w.w1), [w2] "w"(w.w2), [w3] "w"(w.w3),
                  [w4] "w"(w.w4), [w5] "w"(w.w5));
  }
  return v;
}

/* Careful: any shift, fewer than four outputs in a line. */
PATCHNAS_ALWAYS_INLINE void convolve_lines(const patchnas_weights* weights, int32_t channel,
                                           const int8_t* taps, const lines* l, int32_t vectors,
                                           care_taken care) {
  const patchnas_mve_scale scale = {vdupq_n_s32(weights->multipliers[channel]),
                                    vdupq_n_s32(weights->shifts[channel])};
  const int32_t bias = weights->biases[channel];
  window_weights w;
  w.w0 = vldrbq_s8(taps);
  w.w1 = vectors > 1 ? vldrbq_s8(taps + 16) : w.w0;
  w.w2 = vectors > 2 ? vldrbq_s8(taps + 32) : w.w0;
  w.w3 = vectors > 3 ? vldrbq_s8(taps + 48) : w.w0;
  w.w4 = vectors > 4 ? vldrbq_s8(taps + 64) : w.w0;
  w.w5 = vectors > 5 ? vldrbq_s8(taps + 80) : w.w0;
  const uint32x4_t at = patchnas_mve_offsets_of_4(l->pitch);
  const int32_t zero_point = weights->output_zero_point;
  const int32_t step = l->step;
  const int32_t pitches = 4 * l->pitch;
  /* Where a line has fewer than four, what is missing is computed, but not stored. */
  const int32_t d = care == kFast || l->count > 1 ? step : 0;
  const int32_t d2 = care == kFast || l->count > 2 ? step : 0;
  const int32_t d3 = care == kFast || l->count > 3 ? step : 0;
  const mve_pred16_t lanes = vctp32q((uint32_t)l->count);
  const int8_t* line = l->first;
  int8_t* line_out = l->out + channel;
  for (int32_t n = l->lines; n > 0; --n, line += l->line_step, line_out += l->line_pitch) {
    const int8_t* x = line;
    int8_t* out = line_out;
    for (int32_t left = l->count;;) {
      const int32x4_t sums = vaddq_n_s32(sum_vectors(&x, d, d2, d3, w, vectors), bias);
      const int32x4_t scaled =
          care == kFast ? patchnas_mve_requantise_right(sums, scale.multiplier, scale.shift)
                        : patchnas_mve_requantise(sums, scale.multiplier, scale.shift);
      const int32x4_t values = patchnas_mve_saturate(vaddq_n_s32(scaled, zero_point));
      if (care == kFast) {
        vstrbq_scatter_offset_s32(out, at, values);
      } else {
        vstrbq_scatter_offset_p_s32(out, at, values, lanes);
      }
      left -= 4;
      out += pitches;
      if (left < 4) {
        if (left <= 0) {
          break;
        }
        /* The last four overlap those before them. */
        x -= (4 - left) * step;
        out -= (4 - left) * l->pitch;
        left = 4;
      }
    }
  }
}

typedef void convolve_vectors(const patchnas_weights* w, int32_t channel, const int8_t* taps,
                              const lines* l);
#define CONVOLVE_VECTORS(name, vectors)                                                  \
  static __attribute__((noinline)) void name(const patchnas_weights* w, int32_t channel, \
                                             const int8_t* taps, const lines* l) {       \
    if (w->shifts[channel] < 0 && l->count >= 4) {                                       \
      convolve_lines(w, channel, taps, l, vectors, kFast);                               \
    } else {                                                                             \
      convolve_lines(w, channel, taps, l, vectors, kCareful);                            \
    }                                                                                    \
  }
CONVOLVE_VECTORS(convolve_1, 1)
CONVOLVE_VECTORS(convolve_2, 2)
CONVOLVE_VECTORS(convolve_3, 3)
CONVOLVE_VECTORS(convolve_4, 4)
CONVOLVE_VECTORS(convolve_5, 5)
CONVOLVE_VECTORS(convolve_6, 6)

/* As load_weights, for any size. */
static void load_taps(const patchnas_kernel* k, const int8_t* from, int32_t channels, int32_t count,
                      int32_t height, int32_t taps_bytes, int8_t* taps) {
  const uint32x4_t at = patchnas_mve_offsets_of_4(taps_bytes);
  const mve_pred16_t lanes = vctp32q((uint32_t)count);
  for (int32_t y = 0; y < k->height; ++y, ++taps) {
    int8_t* to = taps;
    for (int32_t x = k->width; x > 0; --x, from += channels, to += height) {
      vstrbq_scatter_offset_s32(to, at, vldrbq_z_s32(from, lanes));
    }
  }
}

static int32_t vectors_of(const patchnas_kernel* k, const patchnas_mve_plane* p) {
  return ((k->width - 1) * p->height + k->height + kVectorBytes - 1) / kVectorBytes;
}

int patchnas_mve_convolves_rows(const patchnas_kernel* k, const patchnas_mve_plane* p) {
  return k->height <= kMostSize && k->width <= kMostSize && p->out_rows <= kOutRows &&
         vectors_of(k, p) <= kMostVectors && p->channels <= PATCHNAS_MVE_MOST_CHANNELS;
}

void patchnas_mve_convolve_rows(const patchnas_kernel* k, const patchnas_weights* weights,
                                const patchnas_mve_plane* p) {
  static convolve_vectors* const functions[kMostVectors] = {convolve_1, convolve_2, convolve_3,
                                                            convolve_4, convolve_5, convolve_6};
  int8_t taps[kChannels * kMostVectors * kVectorBytes];
  const int32_t vectors = vectors_of(k, p);
  const int32_t taps_bytes = vectors * kVectorBytes;
  convolve_vectors* const convolve = functions[vectors - 1];
  const lines l = p->out_rows * ((p->out_cols + 3) >> 2) <= p->out_cols ? across(k, p) : down(k, p);
  const bytes inside = {p->values + p->inside_col * p->height + p->inside_row, p->height, 1};
  patchnas_mve_fill(taps, kChannels * taps_bytes, 0);
  patchnas_mve_fill(p->values, p->width * p->height, (int8_t)weights->input_zero_point);
  for (int32_t c = 0; c < p->channels; ++c) {
    if (c % kChannels == 0) {
      load_taps(k, weights->weights + c, p->channels, p->channels - c, p->height, taps_bytes, taps);
    }
    copy(p->in + c, p->channels, p->in_row_pitch, inside, p->inside_rows, p->inside_cols);
    convolve(weights, c, taps + c % kChannels * taps_bytes, &l);
  }
}
#else
typedef int patchnas_mve_strip_is_empty; /* ISO C wants a declaration in every file */
#endif
