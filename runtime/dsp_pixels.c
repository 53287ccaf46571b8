/* The loops below need every register, whatever the rest of a program is compiled with. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__arm__)
#pragma GCC optimize("O2", "omit-frame-pointer")
#endif

#include "runtime/simd.h"

#if defined(PATCHNAS_DSP) && !defined(PATCHNAS_MVE)
#include "runtime/dsp_pixels.h"

typedef struct sums {
  int32_t s0, s1, s2, s3;
} sums;

/* What a row of output pixels shares: four channels' scales, biases with what is above and below
 * the image, and weights and values of the first row that is inside. */
typedef struct pixels_job {
  patchnas_dsp_scale scales[4];
  sums biases;
  const int8_t* weights;
  int32_t rows;      /* inside the image */
  int32_t row_pitch; /* of the input */
  int32_t channels;
  int32_t step; /* from one pixel's values to the next one's */
} pixels_job;

/* Adds the products of four weights with four values. */
PATCHNAS_ALWAYS_INLINE sums add_products(sums s, uint32_t weights, uint32_t values) {
  const int16x2_t even_weights = patchnas_even_bytes(weights);
  const int16x2_t odd_weights = patchnas_odd_bytes(weights);
  const int16x2_t even = patchnas_even_bytes(values);
  const int16x2_t odd = patchnas_odd_bytes(values);
  s.s0 = __smlabb(even_weights, even, s.s0);
  s.s2 = __smlatt(even_weights, even, s.s2);
  s.s1 = __smlabb(odd_weights, odd, s.s1);
  s.s3 = __smlatt(odd_weights, odd, s.s3);
  return s;
}

PATCHNAS_ALWAYS_INLINE void finish(const pixels_job* job, sums s, int8_t* out) {
  const patchnas_dsp_scale* const scales = job->scales;
  out[0] = patchnas_dsp_finish(scales[0], 2 * s.s0);
  out[1] = patchnas_dsp_finish(scales[1], 2 * s.s1);
  out[2] = patchnas_dsp_finish(scales[2], 2 * s.s2);
  out[3] = patchnas_dsp_finish(scales[3], 2 * s.s3);
}

/* The products of four weights with four values, so many bytes or pixels on. */
#define TAP(on)                      \
  "ldr r4, [%[w]" on                 \
  "] \n\t"                           \
  "ldr r6, [%[v]" on                 \
  "] \n\t"                           \
  "sxtb16 r5, r4 \n\t"               \
  "sxtb16 r8, r6 \n\t"               \
  "sxtb16 r4, r4, ror #8 \n\t"       \
  "sxtb16 r6, r6, ror #8 \n\t"       \
  "smlabb %[s0], r5, r8, %[s0] \n\t" \
  "smlatt %[s2], r5, r8, %[s2] \n\t" \
  "smlabb %[s1], r4, r6, %[s1] \n\t" \
  "smlatt %[s3], r4, r6, %[s3] \n\t"
#define TWO_TAPS \
  TAP(", %[c]") TAP(", %[c], lsl #1")         \
  "add %[v], %[v], %[c], lsl #1 \n\t"         \
  "add %[w], %[w], %[c], lsl #1 \n\t"
#define SUM_ROWS(two_taps)                                                               \
  __asm__ volatile("1: \n\t" TAP("") two_taps                                            \
                   "ldr r4, %[next] \n\t"                                                \
                   "add %[v], %[v], r4 \n\t"                                             \
                   "add %[w], %[w], %[c] \n\t"                                           \
                   "subs %[y], %[y], #1 \n\t"                                            \
                   "bne 1b"                                                              \
                   : [s0] "+r"(s.s0), [s1] "+r"(s.s1), [s2] "+r"(s.s2), [s3] "+r"(s.s3), \
                     [v] "+r"(v), [w] "+r"(w), [y] "+r"(y)                               \
                   : [c] "r"(channels), [next] "m"(next)                                 \
                   : "r4", "r5", "r6", "r8", "memory", "cc")

/* `count` pixels of a row whose windows are inside the image to the left and to the right. */
PATCHNAS_ALWAYS_INLINE void convolve_inside(const pixels_job* job, int32_t size,
                                            const int8_t* values, int32_t count, int8_t* out) {
  const int32_t channels = job->channels;
  const int32_t next = job->row_pitch - (size - 1) * channels;
  for (; count > 0; --count, values += job->step, out += channels) {
    sums s = job->biases;
    const int8_t* v = values;
    const int8_t* w = job->weights;
    int32_t y = job->rows;
    if (size == 5) {
      SUM_ROWS(TWO_TAPS TWO_TAPS);
    } else {
      SUM_ROWS(TWO_TAPS TWO_TAPS TWO_TAPS);
    }
    finish(job, s, out);
  }
}

static __attribute__((noinline)) void convolve_5(const pixels_job* job, const int8_t* values,
                                                 int32_t count, int8_t* out) {
  convolve_inside(job, 5, values, count, out);
}

static __attribute__((noinline)) void convolve_7(const pixels_job* job, const int8_t* values,
                                                 int32_t count, int8_t* out) {
  convolve_inside(job, 7, values, count, out);
}

/* One pixel of whose columns only [begin, end) are inside the image. */
static __attribute__((noinline)) void convolve_clipped(const pixels_job* job, int32_t size,
                                                       uint32_t zero_points, const int8_t* values,
                                                       int32_t begin, int32_t end, int8_t* out) {
  const int32_t channels = job->channels;
  sums s = job->biases;
  const int8_t* w = job->weights;
  for (int32_t y = job->rows; y > 0; --y, values += job->row_pitch) {
    const int8_t* v = values;
    for (int32_t x = 0; x < size; ++x, v += channels, w += channels) {
      const uint32_t word = x >= begin && x < end ? patchnas_load_word(v) : zero_points;
      s = add_products(s, patchnas_load_word(w), word);
    }
  }
  finish(job, s, out);
}

/* Adds the zero point times the weights of `taps` pixels. */
static sums add_outside(sums s, const int8_t* weights, int32_t taps, int32_t channels,
                        uint32_t zero_points) {
  for (; taps > 0; --taps, weights += channels) {
    s = add_products(s, patchnas_load_word(weights), zero_points);
  }
  return s;
}

static int32_t clamp(int32_t x, int32_t low, int32_t high) {
  return x < low ? low : x > high ? high : x;
}

/* One row of output pixels, whose windows begin in `top` of the plane. */
static __attribute__((noinline)) void convolve_row(const patchnas_kernel* k, pixels_job* job,
                                                   const int8_t* weights, sums biases,
                                                   uint32_t zero_points,
                                                   const patchnas_dsp_plane* p, int32_t top,
                                                   const int8_t* values, int8_t* out) {
  const int32_t size = k->width;
  const int32_t row_pitch = size * job->channels;
  const int32_t begin = clamp(p->rows.begin - top, 0, size);
  const int32_t end = clamp(p->rows.end - top, begin, size);
  job->weights = weights + begin * row_pitch;
  job->rows = end - begin;
  biases = add_outside(biases, weights, begin * size, job->channels, zero_points);
  job->biases = add_outside(biases, weights + end * row_pitch, (size - end) * size, job->channels,
                            zero_points);
  values += (top + begin) * p->row_pitch;
  for (int32_t col = 0, left = 0; col < p->out_cols;) {
    if (left >= p->cols.begin && left + size <= p->cols.end) {
      const int32_t fitting = (p->cols.end - size - left) / k->stride_w + 1;
      const int32_t count = fitting < p->out_cols - col ? fitting : p->out_cols - col;
      (size == 5 ? convolve_5 : convolve_7)(job, values, count, out);
      col += count;
      left += count * k->stride_w;
      values += count * job->step;
      out += count * job->channels;
      continue;
    }
    convolve_clipped(job, size, zero_points, values, p->cols.begin - left, p->cols.end - left, out);
    ++col;
    left += k->stride_w;
    values += job->step;
    out += job->channels;
  }
}

int patchnas_dsp_convolves_pixels(const patchnas_kernel* k, int32_t channels,
                                  const patchnas_dsp_plane* p) {
  /* For sizes 5 and 7 with stride 1 and 2: as many outputs as are faster so, as measured. */
  static const int8_t most_outputs[2][2] = {{5, 13}, {5, 7}};
  return k->width >= 5 && channels >= 4 &&
         (p->out_cols <= 2 ||
          p->out_rows * p->out_cols <= most_outputs[(k->width - 5) >> 1][k->stride_w - 1]);
}

void patchnas_dsp_convolve_pixels(const patchnas_kernel* k, const patchnas_weights* w,
                                  int32_t channels, const patchnas_dsp_plane* p) {
  const uint32_t zero_points = patchnas_four_bytes(w->input_zero_point);
  pixels_job job;
  job.row_pitch = p->row_pitch;
  job.channels = channels;
  job.step = k->stride_w * channels;
  for (int32_t done = 0; done < channels; done += 4) {
    /* The last four overlap those before them. */
    const int32_t c = channels - done >= 4 ? done : channels - 4;
    for (int j = 0; j < 4; ++j) {
      job.scales[j] = patchnas_dsp_scale_of(w, c + j);
    }
    const sums biases = {w->biases[c], w->biases[c + 1], w->biases[c + 2], w->biases[c + 3]};
    int8_t* out = p->out + c;
    for (int32_t row = 0; row < p->out_rows; ++row, out += p->out_row_pitch) {
      convolve_row(k, &job, w->weights + c, biases, zero_points, p, row * k->stride_h,
                   p->values + c, out);
    }
  }
}
#else
typedef int patchnas_dsp_pixels_is_empty; /* ISO C wants a declaration in every file */
#endif
