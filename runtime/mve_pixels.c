/* The loops below need every register, whatever the rest of a program is compiled with. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__arm__)
#pragma GCC optimize("O2", "omit-frame-pointer")
#endif

#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve_pixels.h"

/* A window, or the part of it that is inside the image. */
typedef struct window {
  int32_t rows, cols;
  int32_t next_values, next_weights; /* from the end of a row to the next */
} window;

/* sums + the products of values and weights of four channels. */
PATCHNAS_ALWAYS_INLINE int32x4_t add_products(int32x4_t sums, const int8_t* values,
                                              const int8_t* weights, const window* window,
                                              int32_t channels) {
  int32_t y = window->rows;
  __asm__ volatile(
      "1: \n\t"
      "dls lr, %[cols] \n"
      "2: \n\t"
      "vldrb.s32 q0, [%[v]] \n\t"
      "vldrb.s32 q1, [%[w]] \n\t"
      "add %[v], %[v], %[c] \n\t"
      "vmul.i32 q0, q0, q1 \n\t"
      "add %[w], %[w], %[c] \n\t"
      "vadd.i32 %q[sums], %q[sums], q0 \n\t"
      "le lr, 2b \n\t"
      "add %[v], %[v], %[next_v] \n\t"
      "add %[w], %[w], %[next_w] \n\t"
      "subs %[y], %[y], #1 \n\t"
      "bne 1b"
      : [sums] "+w"(sums), [v] "+&l"(values), [w] "+&l"(weights), [y] "+&r"(y)
      : [cols] "r"(window->cols), [c] "r"(channels), [next_v] "r"(window->next_values),
        [next_w] "r"(window->next_weights)
      : "q0", "q1", "lr", "cc", "memory");
  return sums;
}

/* sums + the zero point times the weights of `count` pixels. */
static int32x4_t add_outside(int32x4_t sums, const int8_t* weights, int32_t count, int32_t channels,
                             int32_t zero_point) {
  for (; count > 0; --count, weights += channels) {
    sums = vmlaq_n_s32(sums, vldrbq_s32(weights), zero_point);
  }
  return sums;
}

/* What the pixels of a row share: four channels' scales, and biases with what is above and below
 * the image; the first row of weights that is inside. */
typedef struct row_job {
  patchnas_mve_scale scale;
  int32x4_t biases;
  const int8_t* weights;
  int32_t rows;
  int all_right;
} row_job;

/* One pixel, of whose columns only [begin, end) are inside the image. */
static __attribute__((noinline)) int32x4_t sum_clipped(const row_job* job,
                                                       const patchnas_mve_plane* p,
                                                       const int8_t* values, int32_t width,
                                                       int32_t begin, int32_t end,
                                                       int32_t zero_point) {
  const int32_t channels = p->channels;
  const int32_t cols = end - begin;
  const int8_t* w = job->weights;
  const window inside = {job->rows, cols, p->in_row_pitch - cols * channels,
                         (width - cols) * channels};
  int32x4_t sums = job->biases;
  for (int32_t y = job->rows; y > 0; --y, w += width * channels) {
    sums = add_outside(sums, w, begin, channels, zero_point);
    sums = add_outside(sums, w + end * channels, width - end, channels, zero_point);
  }
  return add_products(sums, values + begin * channels, job->weights + begin * channels, &inside,
                      channels);
}

static int32_t clamp(int32_t x, int32_t low, int32_t high) {
  return x < low ? low : x > high ? high : x;
}

/* Four channels from `c` on. */
static __attribute__((noinline)) void convolve_four(const patchnas_kernel* k,
                                                    const patchnas_weights* w,
                                                    const patchnas_mve_plane* p, int32_t c) {
  const int32_t channels = p->channels;
  const int32_t zero_point = w->input_zero_point;
  const int32_t row_weights = k->width * channels;
  const int32x4_t biases = vldrwq_s32(w->biases + c);
  /* The plane's first value, inside the image or not. */
  const int8_t* const plane =
      p->in + c - p->inside_row * p->in_row_pitch - p->inside_col * channels;
  row_job job;
  job.scale.multiplier = vldrwq_s32(w->multipliers + c);
  job.scale.shift = vldrbq_s32(w->shifts + c);
  job.all_right = vcmpltq_n_s32(job.scale.shift, 0) == 0xffff;
  int8_t* out_row = p->out + c;
  for (int32_t row = 0; row < p->out_rows; ++row, out_row += p->out_row_pitch) {
    const int32_t top = row * k->stride_h;
    const int32_t begin = clamp(p->inside_row - top, 0, k->height);
    const int32_t end = clamp(p->inside_row + p->inside_rows - top, begin, k->height);
    const int8_t* values = plane + (top + begin) * p->in_row_pitch;
    job.weights = w->weights + c + begin * row_weights;
    job.rows = end - begin;
    job.biases = add_outside(biases, w->weights + c, begin * k->width, channels, zero_point);
    job.biases = add_outside(job.biases, w->weights + c + end * row_weights,
                             (k->height - end) * k->width, channels, zero_point);
    const window whole = {job.rows, k->width, p->in_row_pitch - row_weights, 0};
    int8_t* out = out_row;
    for (int32_t col = 0; col < p->out_cols; ++col, out += channels) {
      const int32_t left = col * k->stride_w;
      const int32_t first = clamp(p->inside_col - left, 0, k->width);
      const int32_t last = clamp(p->inside_col + p->inside_cols - left, first, k->width);
      const int32x4_t sums = last - first == k->width
                                 ? add_products(job.biases, values, job.weights, &whole, channels)
                                 : sum_clipped(&job, p, values, k->width, first, last, zero_point);
      vstrbq_s32(out, job.all_right ? patchnas_mve_finish_right(w, job.scale, sums)
                                    : patchnas_mve_finish(w, job.scale, sums));
      values += k->stride_w * channels;
    }
  }
}

int patchnas_mve_convolves_pixels(const patchnas_kernel* k, const patchnas_mve_plane* p) {
  /* As many outputs as are faster so, as measured. */
  const int32_t taps = k->height * k->width;
  const int32_t most = taps <= 9 ? 4 : taps <= 25 ? 3 : 2;
  return p->channels >= 4 && p->out_rows * p->out_cols <= most && patchnas_mve_is_apart(p);
}

void patchnas_mve_convolve_pixels(const patchnas_kernel* kernel, const patchnas_weights* weights,
                                  const patchnas_mve_plane* p) {
  for (int32_t c = 0; c < p->channels; c += 4) {
    /* The last four overlap those before them. */
    convolve_four(kernel, weights, p, p->channels - c >= 4 ? c : p->channels - 4);
  }
}
#else
typedef int patchnas_mve_pixels_is_empty; /* ISO C wants a declaration in every file */
#endif
