#include "runtime/simd.h"

#if defined(PATCHNAS_DSP)
#include "runtime/dsp_plane.h"

/* Weights of one row of a kernel, doubled, in the order of what a word of values widens to:
 * (w0, w2), (w1, w3), (w4, w6), (w5, 0) for size 7; the last pair of smaller kernels is
 * (w1, 0) or (w4, 0). */
enum { kLargestSize = 7, kMostPairs = 4 };

PATCHNAS_ALWAYS_INLINE int32_t pairs_of(int32_t size) { return (size + 1) / 2; }

PATCHNAS_ALWAYS_INLINE int16x2_t doubled_pair(int32_t low, int32_t high) {
  return (int16x2_t)(((uint32_t)(2 * low) & 0xffffu) | ((uint32_t)high << 17));
}

static void load_weights(const int8_t* from, int32_t channels, int32_t size, int16x2_t* pairs) {
  for (int32_t y = 0; y < size; ++y) {
    int32_t w[8];
    for (int32_t x = 0; x < size; ++x, from += channels) {
      w[x] = *from;
    }
    *pairs++ = doubled_pair(w[0], w[2]);
    if (size == 3) {
      *pairs++ = doubled_pair(w[1], 0);
      continue;
    }
    *pairs++ = doubled_pair(w[1], w[3]);
    if (size == 5) {
      *pairs++ = doubled_pair(w[4], 0);
      continue;
    }
    *pairs++ = doubled_pair(w[4], w[6]);
    *pairs++ = doubled_pair(w[5], 0);
  }
}

typedef struct two_sums {
  int32_t first, second;
} two_sums;

/* Adds one row's products for two outputs side by side. `w` has the row's pairs; x[i] in the
 * comments is values[i]. SMLADX exchanges the halves of its second factor. */
PATCHNAS_ALWAYS_INLINE two_sums add_row(two_sums s, const int8_t* x, const int16x2_t* w,
                                        int32_t size, int32_t stride) {
  const uint32_t word0 = patchnas_load_word(x);
  const int16x2_t x02 = patchnas_even_bytes(word0);
  const int16x2_t x13 = patchnas_odd_bytes(word0);
  s.first = __smlad(x02, w[0], s.first);
  s.first = __smlad(x13, w[1], s.first);
  if (size == 3 && stride == 1) {
    s.second = __smlad(x13, w[0], s.second);
    s.second = __smladx(x02, w[1], s.second);
    return s;
  }
  const uint32_t word2 = patchnas_load_word(x + 2);
  const int16x2_t x24 = patchnas_even_bytes(word2);
  if (size == 3) {
    s.second = __smlad(x24, w[0], s.second);
    s.second = __smladx(x13, w[1], s.second);
    return s;
  }
  if (size == 5 && stride == 1) {
    const int16x2_t x35 = patchnas_odd_bytes(word2);
    s.first = __smladx(x24, w[2], s.first);
    s.second = __smlad(x13, w[0], s.second);
    s.second = __smlad(x24, w[1], s.second);
    s.second = __smladx(x35, w[2], s.second);
    return s;
  }
  const uint32_t word4 = patchnas_load_word(x + 4);
  const int16x2_t x46 = patchnas_even_bytes(word4);
  if (size == 5) {
    const int16x2_t x35 = patchnas_odd_bytes(word2);
    s.first = __smladx(x24, w[2], s.first);
    s.second = __smlad(x24, w[0], s.second);
    s.second = __smlad(x35, w[1], s.second);
    s.second = __smladx(x46, w[2], s.second);
    return s;
  }
  const int16x2_t x57 = patchnas_odd_bytes(word4);
  s.first = __smlad(x46, w[2], s.first);
  s.first = __smlad(x57, w[3], s.first);
  if (stride == 1) {
    s.second = __smlad(x13, w[0], s.second);
    s.second = __smlad(x24, w[1], s.second);
    s.second = __smlad(x57, w[2], s.second);
    s.second = __smladx(x46, w[3], s.second);
    return s;
  }
  const int16x2_t x35 = patchnas_odd_bytes(word2);
  const int16x2_t x68 = patchnas_odd_bytes(patchnas_load_word(x + 5));
  s.second = __smlad(x24, w[0], s.second);
  s.second = __smlad(x35, w[1], s.second);
  s.second = __smlad(x68, w[2], s.second);
  s.second = __smladx(x57, w[3], s.second);
  return s;
}

PATCHNAS_ALWAYS_INLINE void convolve(const patchnas_dsp_plane* plane, const int16x2_t* w,
                                     int32_t bias, patchnas_dsp_scale scale, int32_t size,
                                     int32_t stride) {
  const int32_t cols = plane->out_cols;
  const int32_t pitch = plane->out_pitch;
  const int32_t width = plane->width;
  /* A last odd output is computed together with the one before it, a single one with a second that
   * it then overwrites. */
  const int32_t second_pitch = cols > 1 ? pitch : 0;
  for (int32_t row = 0; row < plane->out_rows; ++row) {
    const int8_t* x = plane->values + row * stride * width;
    int8_t* out = plane->out + row * plane->out_row_pitch;
    for (int32_t left = cols; left > 0; left -= 2) {
      if (left == 1 && cols > 1) {
        x -= stride;
        out -= pitch;
      }
      two_sums s = {bias, bias};
      const int8_t* at = x;
#pragma GCC unroll 7
      for (int32_t y = 0; y < size; ++y, at += width) {
        s = add_row(s, at, w + y * pairs_of(size), size, stride);
      }
      out[second_pitch] = patchnas_dsp_finish(scale, s.second);
      *out = patchnas_dsp_finish(scale, s.first);
      x += 2 * stride;
      out += 2 * pitch;
    }
  }
}

int patchnas_dsp_convolves_planes(const patchnas_kernel* k) {
  return k->height == k->width && (k->height == 3 || k->height == 5 || k->height == 7) &&
         k->stride_h == k->stride_w && (k->stride_h == 1 || k->stride_h == 2);
}

void patchnas_dsp_convolve_plane(const patchnas_kernel* kernel, const patchnas_weights* weights,
                                 int32_t channels, int32_t channel,
                                 const patchnas_dsp_plane* plane) {
  int16x2_t w[kLargestSize * kMostPairs];
  load_weights(weights->weights + channel, channels, kernel->height, w);
  const patchnas_dsp_scale scale = patchnas_dsp_scale_of(weights, channel);
  const int32_t bias = 2 * weights->biases[channel];
  switch (kernel->height * 2 + kernel->stride_h) {
    case 3 * 2 + 1:
      convolve(plane, w, bias, scale, 3, 1);
      break;
    case 3 * 2 + 2:
      convolve(plane, w, bias, scale, 3, 2);
      break;
    case 5 * 2 + 1:
      convolve(plane, w, bias, scale, 5, 1);
      break;
    case 5 * 2 + 2:
      convolve(plane, w, bias, scale, 5, 2);
      break;
    case 7 * 2 + 1:
      convolve(plane, w, bias, scale, 7, 1);
      break;
    default:
      convolve(plane, w, bias, scale, 7, 2);
  }
}
#else
typedef int patchnas_dsp_plane_is_empty; /* ISO C wants a declaration in every file */
#endif
