#if defined(__GNUC__) && !defined(__clang__) && defined(__arm__)
#pragma GCC optimize("O2", "omit-frame-pointer")
#endif

#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve_strip.h"

/* A strip is a few rows of the plane, column by column, so that a window of 3x3 values lies within 16
 * bytes: one load and one multiplication give its sum. Four rows further begins the next strip. */
enum { kSize = 3, kStripAdvance = 4, kVectorBytes = 16 };

typedef struct strip {
  int8_t* values;
  int32_t rows; /* bytes of a column: 6 for stride 1 (four rows of outputs), 5 for stride 2 (two) */
  int8_t zero_point;
} strip;

/* Columns of bytes, in memory order. */
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

static void fill(const strip* s, int32_t row, int32_t row_end, int32_t width) {
  for (; row < row_end; ++row) {
    int8_t* to = s->values + row;
    for (int32_t col = 0; col < width; ++col, to += s->rows) {
      *to = s->zero_point;
    }
  }
}

/* The plane's rows from `first` on. */
static void load(const strip* s, const patchnas_mve_plane* p, int32_t channel, int32_t first) {
  int32_t row = 0;
  if (first > 0) { /* these may already be overwritten where they came from */
    row = s->rows - kStripAdvance;
    const bytes beginning = {s->values, s->rows, 1};
    copy(s->values + kStripAdvance, s->rows, 1, beginning, row, p->width);
  }
  const int32_t end = p->height - first < s->rows ? p->height - first : s->rows;
  const int32_t inside = p->inside_row - first > row ? p->inside_row - first : row;
  const int32_t after = p->inside_row + p->inside_rows - first;
  const int32_t inside_end = after < end ? after : end;
  const int several = p->height > s->rows; /* what is outside one strip stays */
  if (several) {
    fill(s, row, inside < end ? inside : end, p->width);
  }
  if (inside < inside_end) {
    const int8_t* const from =
        p->in + channel + (first + inside - p->inside_row) * p->in_row_pitch;
    const bytes to = {s->values + p->inside_col * s->rows + inside, s->rows, 1};
    copy(from, p->channels, p->in_row_pitch, to, inside_end - inside, p->inside_cols);
  }
  if (several) {
    fill(s, inside_end > row ? inside_end : row, end, p->width);
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

/* The sums of four windows that begin `a`, then `b`, `c` and `d` bytes after one another; moves on
 * past them. */
#define FOUR_WINDOWS(x, weights, products, a, b, c, d)                                        \
  do {                                                                                        \
    int32_t s0, s1, s2, s3;                                                                   \
    __asm__("vldrb.8 %q[v], [%[at]], #" a " \n\t"                                             \
            "vmladav.s8 %[s0], %q[v], %q[w] \n\t"                                             \
            "vldrb.8 %q[v], [%[at]], #" b " \n\t"                                             \
            "vmladav.s8 %[s1], %q[v], %q[w] \n\t"                                             \
            "vldrb.8 %q[v], [%[at]], #" c " \n\t"                                             \
            "vmladav.s8 %[s2], %q[v], %q[w] \n\t"                                             \
            "vldrb.8 %q[v], [%[at]], #" d " \n\t"                                             \
            "vmladav.s8 %[s3], %q[v], %q[w] \n\t"                                             \
            "vmov %q[v][2], %q[v][0], %[s0], %[s2] \n\t"                                      \
            "vmov %q[v][3], %q[v][1], %[s1], %[s3]"                                           \
            : [v] "=&w"(products), [at] "+&r"(x), [s0] "=&Te"(s0), [s1] "=&Te"(s1),           \
              [s2] "=&Te"(s2), [s3] "=&Te"(s3)                                                \
            : [w] "w"(weights)                                                                \
            : "memory");                                                                      \
  } while (0)

/* Four rows of outputs, `rows` of which there are. */
PATCHNAS_ALWAYS_INLINE void stride_1(const patchnas_weights* w, const channel_scale* c,
                                     const int8_t* x, int8x16_t weights, int8_t* out,
                                     const patchnas_mve_plane* p, int32_t rows) {
  const uint32x4_t at = patchnas_mve_offsets_of_4(p->out_row_pitch);
  const int32_t channels = p->channels;
  const mve_pred16_t lanes = vctp32q((uint32_t)rows);
  for (int32_t left = p->out_cols; left > 0; --left, out += channels) {
    int32x4_t products;
    FOUR_WINDOWS(x, weights, products, "1", "1", "1", "3");
    if (rows >= 4) {
      vstrbq_scatter_offset_s32(out, at, finish(w, c, products));
    } else {
      vstrbq_scatter_offset_p_s32(out, at, finish(w, c, products), lanes);
    }
  }
}

/* Two columns of two rows of outputs; the last two columns may overlap those before them. */
PATCHNAS_ALWAYS_INLINE void stride_2(const patchnas_weights* w, const channel_scale* c,
                                     const int8_t* x, int8x16_t weights, int8_t* out,
                                     const patchnas_mve_plane* p, int32_t rows) {
  const int32_t channels = p->channels;
  const uint32x4_t lane = vidupq_n_u32(0, 1);
  const uint32x4_t row_offsets =
      vmulq_n_u32(vandq_u32(lane, vdupq_n_u32(1)), (uint32_t)p->out_row_pitch);
  const uint32x4_t at = vmlaq_n_u32(row_offsets, vshrq_n_u32(lane, 1), (uint32_t)channels);
  const mve_pred16_t lanes = rows > 1 ? 0xffff : 0x0f0f;
  for (int32_t left = p->out_cols; left > 0; left -= 2, out += 2 * channels) {
    if (left == 1) {
      x -= 10;
      out -= channels;
    }
    int32x4_t products;
    FOUR_WINDOWS(x, weights, products, "2", "8", "2", "8");
    if (rows >= 2) {
      vstrbq_scatter_offset_s32(out, at, finish(w, c, products));
    } else {
      vstrbq_scatter_offset_p_s32(out, at, finish(w, c, products), lanes);
    }
  }
}

static __attribute__((noinline)) void convolve_strip(const patchnas_weights* w, int32_t channel,
                                                     const strip* s, const int8_t* weights,
                                                     int8_t* out, const patchnas_mve_plane* p,
                                                     int32_t rows) {
  const int32_t shift = w->shifts[channel];
  channel_scale c = {{vdupq_n_s32(w->multipliers[channel]), vdupq_n_s32(shift)},
                     w->biases[channel], 0};
  const int8x16_t taps = vldrbq_s8(weights);
  if (s->rows == 6) {
    if (shift < 0 && rows >= 4) {
      c.all_right = 1;
      stride_1(w, &c, s->values, taps, out, p, 4);
    } else {
      stride_1(w, &c, s->values, taps, out, p, rows);
    }
  } else if (shift < 0 && rows >= 2) {
    c.all_right = 1;
    stride_2(w, &c, s->values, taps, out, p, 2);
  } else {
    stride_2(w, &c, s->values, taps, out, p, rows);
  }
}

int patchnas_mve_convolves_strips(const patchnas_kernel* k, const patchnas_mve_plane* p) {
  return k->height == kSize && k->width == kSize && k->stride_h == k->stride_w &&
         (k->stride_w == 1 ? p->out_rows >= 4 : k->stride_w == 2 && p->out_rows >= 2) &&
         (k->stride_w == 1 || p->out_cols >= 2) && p->inside_row < kSize &&
         p->in_row_pitch >= p->out_row_pitch && p->in >= p->out &&
         p->channels <= PATCHNAS_MVE_MOST_CHANNELS;
}

void patchnas_mve_convolve_strips(const patchnas_kernel* k, const patchnas_weights* weights,
                                  const patchnas_mve_plane* p) {
  const strip s = {p->values, k->stride_h == 1 ? 6 : 5, (int8_t)weights->input_zero_point};
  const int32_t out_rows = kStripAdvance / k->stride_h;
  int8_t taps[kVectorBytes];
  vstrbq_s8(taps, vdupq_n_s8(0));
  fill(&s, 0, s.rows, p->width);
  for (int32_t c = 0; c < p->channels; ++c) {
    const bytes columns = {taps, s.rows, 1};
    copy(weights->weights + c, p->channels, kSize * p->channels, columns, kSize, kSize);
    int8_t* out = p->out + c;
    int32_t first = 0;
    for (int32_t left = p->out_rows; left > 0; left -= out_rows) {
      load(&s, p, c, first);
      convolve_strip(weights, c, &s, taps, out, p, left);
      first += kStripAdvance;
      out += out_rows * p->out_row_pitch;
    }
  }
}
#else
typedef int patchnas_mve_strip_is_empty; /* ISO C wants a declaration in every file */
#endif
