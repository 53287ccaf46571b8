/* The loops below need every register, whatever the rest of a program is compiled with. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__arm__)
#pragma GCC optimize("O2", "omit-frame-pointer")
#endif

#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve_plane.h"

enum { kMostSize = 7, kMostVectors = kMostSize, kVectorBytes = 16, kSums = 48 };

/* A window's values, in as few vectors of 16 bytes of the plane as hold all its rows: rows of a
 * narrow plane share vectors. Weights lie as the values do, with zeros between the rows. */
typedef struct taps {
  int8_t weights[kMostVectors * kVectorBytes];
  int32_t starts[kMostVectors]; /* in the plane, from the window's first value */
  int32_t vectors;
  int32_t row_positions[kMostSize]; /* of the rows' weights */
} taps;

/* Vectors end where windows end, so as not to read far beyond the plane. */
static void place_taps(const patchnas_kernel* k, int32_t width, taps* t) {
  int32_t v = kMostVectors;
  int32_t row = k->height - 1;
  while (row >= 0) {
    const int32_t end = row * width + k->width;
    const int32_t start = end > kVectorBytes ? end - kVectorBytes : 0;
    t->starts[--v] = start;
    for (; row >= 0 && row * width >= start; --row) {
      t->row_positions[row] = v * kVectorBytes + row * width - start;
    }
  }
  t->vectors = kMostVectors - v;
  for (int32_t i = 0; i < t->vectors; ++i) {
    t->starts[i] = t->starts[i + v];
  }
  for (int32_t y = 0; y < k->height; ++y) {
    t->row_positions[y] -= v * kVectorBytes;
  }
  patchnas_mve_fill(t->weights, sizeof t->weights, 0);
}

/* Rows of `count` bytes that are `pitch` apart, to bytes side by side. */
static void copy_rows(const int8_t* from, int32_t pitch, int32_t from_row_pitch, int8_t* to,
                      int32_t to_row_pitch, int32_t rows, int32_t count) {
  const uint16x8_t at = patchnas_mve_offsets_of_8(pitch);
  const int32_t blocks = (count + 7) / 8;
  const int32_t step = 8 * pitch;
  from_row_pitch -= blocks * step;
  to_row_pitch -= blocks * 8;
  __asm__ volatile(
      "1: \n\t"
      "dlstp.16 lr, %[count] \n"
      "2: \n\t"
      "vldrb.u16 q0, [%[from], %q[at]] \n\t"
      "vstrb.16 q0, [%[to]], #8 \n\t"
      "add %[from], %[from], %[step] \n\t"
      "letp lr, 2b \n\t"
      "add %[from], %[from], %[from_next] \n\t"
      "add %[to], %[to], %[to_next] \n\t"
      "subs %[rows], %[rows], #1 \n\t"
      "bne 1b"
      : [from] "+&r"(from), [to] "+&l"(to), [rows] "+&r"(rows)
      : [at] "w"(at), [count] "r"(count), [step] "r"(step), [from_next] "r"(from_row_pitch),
        [to_next] "r"(to_row_pitch)
      : "q0", "lr", "cc", "memory");
}

static void copy_weights(const patchnas_kernel* k, const int8_t* from, int32_t channels, taps* t) {
  const uint16x8_t at = patchnas_mve_offsets_of_8(channels);
  const mve_pred16_t cols = vctp16q((uint32_t)k->width);
  for (int32_t y = 0; y < k->height; ++y, from += k->width * channels) {
    vstrbq_p_s16(t->weights + t->row_positions[y], vldrbq_gather_offset_z_s16(from, at, cols),
                 cols);
  }
}

/* Rows of output pixels, in the order in which the loops load them. */
typedef struct window_sums {
  const int8_t* vectors[kMostVectors]; /* of the first window */
  int32_t* sums;
  int32_t cols;
  int32_t next; /* from the end of a row of windows to the next */
  int32_t rows;
  const int8_t* weights;
} window_sums;

#define LOAD(stride, at) "vldrb.8 q7, [" at "], #" stride " \n\t"
#define WEIGHTS(q) "vldrb.8 " q ", [lr], #16 \n\t"
#define STEPS_1(s) LOAD(s, "r1") "vmladav.s8 r0, q7, q0 \n\t"
#define STEPS_2(s) STEPS_1(s) LOAD(s, "r2") "vmladava.s8 r0, q7, q1 \n\t"
#define STEPS_3(s) STEPS_2(s) LOAD(s, "r3") "vmladava.s8 r0, q7, q2 \n\t"
#define STEPS_4(s) STEPS_3(s) LOAD(s, "r4") "vmladava.s8 r0, q7, q3 \n\t"
#define STEPS_5(s) STEPS_4(s) LOAD(s, "r5") "vmladava.s8 r0, q7, q4 \n\t"
#define STEPS_6(s) STEPS_5(s) LOAD(s, "r6") "vmladava.s8 r0, q7, q5 \n\t"
#define STEPS_7(s) STEPS_6(s) LOAD(s, "r8") "vmladava.s8 r0, q7, q6 \n\t"
#define WEIGHTS_1 WEIGHTS("q0")
#define WEIGHTS_2 WEIGHTS_1 WEIGHTS("q1")
#define WEIGHTS_3 WEIGHTS_2 WEIGHTS("q2")
#define WEIGHTS_4 WEIGHTS_3 WEIGHTS("q3")
#define WEIGHTS_5 WEIGHTS_4 WEIGHTS("q4")
#define WEIGHTS_6 WEIGHTS_5 WEIGHTS("q5")
#define WEIGHTS_7 WEIGHTS_6 WEIGHTS("q6")
#define NEXT_1 "add r1, r1, r11 \n\t"
#define NEXT_2 NEXT_1 "add r2, r2, r11 \n\t"
#define NEXT_3 NEXT_2 "add r3, r3, r11 \n\t"
#define NEXT_4 NEXT_3 "add r4, r4, r11 \n\t"
#define NEXT_5 NEXT_4 "add r5, r5, r11 \n\t"
#define NEXT_6 NEXT_5 "add r6, r6, r11 \n\t"
#define NEXT_7 NEXT_6 "add r8, r8, r11 \n\t"

#define SUM_WINDOWS(vectors, stride) \
  __asm__ volatile("ldm %0, {r1-r6, r8-r12, lr} \n\t" WEIGHTS_##vectors                          \
                   "1: \n\t"                                                                     \
                   "dls lr, r10 \n"                                                              \
                   "2: \n\t" STEPS_##vectors(stride)                                             \
                   "str r0, [r9], #4 \n\t"                                                       \
                   "le lr, 2b \n\t" NEXT_##vectors                                               \
                   "subs r12, r12, #1 \n\t"                                                      \
                   "bne 1b"                                                                      \
                   : "+r"(job)                                                                   \
                   :                                                                             \
                   : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr",  \
                     "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "cc", "memory")

static __attribute__((noinline)) void sum_windows(const window_sums* windows, int32_t vectors,
                                                  int32_t stride) {
  register const window_sums* job __asm__("r0") = windows;
  switch (2 * vectors + stride) {
    case 2 * 1 + 1:
      SUM_WINDOWS(1, "1");
      break;
    case 2 * 1 + 2:
      SUM_WINDOWS(1, "2");
      break;
    case 2 * 2 + 1:
      SUM_WINDOWS(2, "1");
      break;
    case 2 * 2 + 2:
      SUM_WINDOWS(2, "2");
      break;
    case 2 * 3 + 1:
      SUM_WINDOWS(3, "1");
      break;
    case 2 * 3 + 2:
      SUM_WINDOWS(3, "2");
      break;
    case 2 * 4 + 1:
      SUM_WINDOWS(4, "1");
      break;
    case 2 * 4 + 2:
      SUM_WINDOWS(4, "2");
      break;
    case 2 * 5 + 1:
      SUM_WINDOWS(5, "1");
      break;
    case 2 * 5 + 2:
      SUM_WINDOWS(5, "2");
      break;
    case 2 * 6 + 1:
      SUM_WINDOWS(6, "1");
      break;
    case 2 * 6 + 2:
      SUM_WINDOWS(6, "2");
      break;
    case 2 * 7 + 1:
      SUM_WINDOWS(7, "1");
      break;
    default:
      SUM_WINDOWS(7, "2");
  }
}

/* What the outputs of one channel share. */
typedef struct channel_scale {
  patchnas_mve_scale scale;
  int32_t bias;
} channel_scale;

PATCHNAS_ALWAYS_INLINE int32x4_t finish(const patchnas_weights* w, const channel_scale* c,
                                        int all_right, int32x4_t products) {
  const int32x4_t sums = vaddq_n_s32(products, c->bias);
  return all_right ? patchnas_mve_finish_right(w, c->scale, sums)
                   : patchnas_mve_finish(w, c->scale, sums);
}

PATCHNAS_ALWAYS_INLINE void store(const patchnas_weights* w, const channel_scale* c, int all_right,
                                  const int32_t* sums, int32_t count, int8_t* out, int32_t pitch) {
  const uint32x4_t at = patchnas_mve_offsets_of_4(pitch);
  for (; count >= 4; count -= 4, sums += 4, out += 4 * pitch) {
    vstrbq_scatter_offset_s32(out, at, finish(w, c, all_right, vldrwq_s32(sums)));
  }
  if (count > 0) {
    vstrbq_scatter_offset_p_s32(out, at, finish(w, c, all_right, vldrwq_s32(sums)),
                                vctp32q((uint32_t)count));
  }
}

static __attribute__((noinline)) void store_sums(const patchnas_weights* w, int32_t channel,
                                                 const int32_t* sums, int32_t count, int8_t* out,
                                                 int32_t pitch) {
  const int32_t shift = w->shifts[channel];
  const channel_scale c = {{vdupq_n_s32(w->multipliers[channel]), vdupq_n_s32(shift)},
                           w->biases[channel]};
  if (shift < 0) {
    store(w, &c, 1, sums, count, out, pitch);
  } else {
    store(w, &c, 0, sums, count, out, pitch);
  }
}

/* The outputs of one channel from its plane, as many as there is room for at a time. */
static void convolve_channel(const patchnas_kernel* k, const patchnas_weights* w, int32_t channel,
                             const patchnas_mve_plane* p, const taps* t) {
  int32_t sums[kSums + 3]; /* whole vectors are loaded */
  const int32_t most_cols = p->out_cols < kSums ? p->out_cols : kSums;
  const int32_t most_rows = kSums / most_cols;
  for (int32_t col = 0; col < p->out_cols; col += most_cols) {
    const int32_t cols = p->out_cols - col < most_cols ? p->out_cols - col : most_cols;
    for (int32_t row = 0; row < p->out_rows; row += most_rows) {
      const int32_t rows = p->out_rows - row < most_rows ? p->out_rows - row : most_rows;
      const int8_t* const first = p->values + row * k->stride_h * p->width + col * k->stride_w;
      window_sums job; /* vectors that are not used are not set */
      job.sums = sums;
      job.cols = cols;
      job.next = k->stride_h * p->width - cols * k->stride_w;
      job.rows = rows;
      job.weights = t->weights;
      for (int32_t v = 0; v < t->vectors; ++v) {
        job.vectors[v] = first + t->starts[v];
      }
      sum_windows(&job, t->vectors, k->stride_w);
      int8_t* out = p->out + channel + row * p->out_row_pitch + col * p->channels;
      if (cols * p->channels == p->out_row_pitch) {
        store_sums(w, channel, sums, rows * cols, out, p->channels);
        continue;
      }
      for (int32_t y = 0; y < rows; ++y, out += p->out_row_pitch) {
        store_sums(w, channel, sums + y * cols, cols, out, p->channels);
      }
    }
  }
}

int patchnas_mve_convolves_planes(const patchnas_kernel* k, const patchnas_mve_plane* p) {
  return k->height <= kMostSize && k->width <= kMostSize && k->stride_w <= 2 &&
         p->channels <= PATCHNAS_MVE_MOST_CHANNELS;
}

void patchnas_mve_convolve_planes(const patchnas_kernel* kernel, const patchnas_weights* weights,
                                  const patchnas_mve_plane* p) {
  taps t;
  place_taps(kernel, p->width, &t);
  patchnas_mve_fill(p->values, p->width * p->height, (int8_t)weights->input_zero_point);
  int8_t* const inside = p->values + p->inside_row * p->width + p->inside_col;
  for (int32_t c = 0; c < p->channels; ++c) {
    copy_rows(p->in + c, p->channels, p->in_row_pitch, inside, p->width, p->inside_rows,
              p->inside_cols);
    copy_weights(kernel, weights->weights + c, p->channels, &t);
    convolve_channel(kernel, weights, c, p, &t);
  }
}
#else
typedef int patchnas_mve_plane_is_empty; /* ISO C wants a declaration in every file */
#endif
