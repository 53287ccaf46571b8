#if defined(__GNUC__) && !defined(__clang__) && defined(__arm__)
#pragma GCC optimize("O2", "omit-frame-pointer")
#endif

#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve_strip.h"

/* A strip is six rows of the plane, column by column, so that a window of 3x3 values lies within 16
 * bytes: one load and one multiplication give its sum. It gives four rows of outputs. */
enum { kSize = 3, kStripRows = 6, kOutRows = 4, kVectorBytes = 16, kChannels = 4 };

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

int patchnas_mve_convolves_strips(const patchnas_kernel* k, const patchnas_mve_plane* p) {
  return k->height == kSize && k->width == kSize && k->stride_h == 1 && k->stride_w == 1 &&
         (p->out_rows == kOutRows || p->out_rows >= 2 * kOutRows) && p->inside_row < kSize &&
         p->in_row_pitch >= p->out_row_pitch && p->in >= p->out &&
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
#else
typedef int patchnas_mve_strip_is_empty; /* ISO C wants a declaration in every file */
#endif
