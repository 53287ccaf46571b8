#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve_plane.h"

enum { kLanes = 4 };

/* 0, pitch, 2 * pitch, 3 * pitch */
PATCHNAS_ALWAYS_INLINE uint32x4_t offsets(int32_t pitch) {
  return vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)pitch);
}

void patchnas_mve_copy_channel(const int8_t* from, int32_t pitch, int8_t* to, int32_t count) {
  const uint32x4_t at = offsets(pitch);
  for (; count >= kLanes; count -= kLanes, from += kLanes * pitch, to += kLanes) {
    vstrbq_s32(to, vldrbq_gather_offset_s32(from, at));
  }
  if (count > 0) {
    const mve_pred16_t lanes = vctp32q((uint32_t)count);
    vstrbq_p_s32(to, vldrbq_gather_offset_z_s32(from, at, lanes), lanes);
  }
}

/* What the outputs of one channel share. */
typedef struct channel_scale {
  patchnas_mve_scale scale;
  int32_t bias;
} channel_scale;

/* Four outputs side by side from the windows that begin at `x`. */
PATCHNAS_ALWAYS_INLINE int32x4_t sums_of(int32_t bias, const int8_t* x, int32_t width,
                                         const int8_t* w, int32_t rows, int32_t size,
                                         int32_t stride, uint32x4_t at) {
  int32x4_t sums = vdupq_n_s32(bias);
  for (int32_t y = rows; y > 0; --y, x += width, w += size) {
#pragma GCC unroll 7
    for (int32_t i = 0; i < size; ++i) {
      const int32x4_t values =
          stride == 1 ? vldrbq_s32(x + i) : vldrbq_gather_offset_s32(x + i, at);
      sums = vmlaq_n_s32(sums, values, w[i]);
    }
  }
  return sums;
}

/* At least four outputs a row: the last four overlap those before them. */
PATCHNAS_ALWAYS_INLINE void convolve(const patchnas_mve_plane* plane, const patchnas_weights* w,
                                     const channel_scale* c, const int8_t* taps,
                                     const patchnas_kernel* kernel, int32_t size, int32_t stride) {
  const uint32x4_t at = offsets(stride);
  const uint32x4_t out_at = offsets(plane->out_pitch);
  for (int32_t row = 0; row < plane->out_rows; ++row) {
    const int8_t* x = plane->values + row * kernel->stride_h * plane->width;
    int8_t* out = plane->out + row * plane->out_row_pitch;
    for (int32_t left = plane->out_cols; left > 0; left -= kLanes) {
      if (left < kLanes) {
        x -= (kLanes - left) * stride;
        out -= (kLanes - left) * plane->out_pitch;
      }
      const int32x4_t sums =
          sums_of(c->bias, x, plane->width, taps, kernel->height, size, stride, at);
      vstrbq_scatter_offset_s32(out, out_at, patchnas_mve_finish(w, c->scale, sums));
      x += kLanes * stride;
      out += kLanes * plane->out_pitch;
    }
  }
}

/* Fewer than four outputs a row, any kernel: loads and stores are predicated. */
static void convolve_narrow(const patchnas_mve_plane* plane, const patchnas_weights* w,
                            const channel_scale* c, const int8_t* taps,
                            const patchnas_kernel* kernel) {
  const uint32x4_t at = offsets(kernel->stride_w);
  const uint32x4_t out_at = offsets(plane->out_pitch);
  const mve_pred16_t lanes = vctp32q((uint32_t)plane->out_cols);
  for (int32_t row = 0; row < plane->out_rows; ++row) {
    const int8_t* x = plane->values + row * kernel->stride_h * plane->width;
    const int8_t* tap = taps;
    int32x4_t sums = vdupq_n_s32(c->bias);
    for (int32_t y = kernel->height; y > 0; --y, x += plane->width) {
      for (int32_t i = 0; i < kernel->width; ++i) {
        sums = vmlaq_n_s32(sums, vldrbq_gather_offset_z_s32(x + i, at, lanes), *tap++);
      }
    }
    vstrbq_scatter_offset_p_s32(plane->out + row * plane->out_row_pitch, out_at,
                                patchnas_mve_finish(w, c->scale, sums), lanes);
  }
}

enum { kMostTaps = 49 };

int patchnas_mve_convolves_planes(const patchnas_kernel* k) {
  return k->height <= 7 && (k->width == 3 || k->width == 5 || k->width == 7) &&
         (k->stride_w == 1 || k->stride_w == 2);
}

void patchnas_mve_convolve_plane(const patchnas_kernel* kernel, const patchnas_weights* weights,
                                 int32_t channels, int32_t channel,
                                 const patchnas_mve_plane* plane) {
  int8_t taps[kMostTaps];
  patchnas_mve_copy_channel(weights->weights + channel, channels, taps,
                            kernel->height * kernel->width);
  const channel_scale c = {
      {vdupq_n_s32(weights->multipliers[channel]), vdupq_n_s32(weights->shifts[channel])},
      weights->biases[channel]};
  if (plane->out_cols < kLanes) {
    convolve_narrow(plane, weights, &c, taps, kernel);
    return;
  }
  switch (kernel->width * 4 + kernel->stride_w) {
    case 3 * 4 + 1:
      convolve(plane, weights, &c, taps, kernel, 3, 1);
      break;
    case 3 * 4 + 2:
      convolve(plane, weights, &c, taps, kernel, 3, 2);
      break;
    case 5 * 4 + 1:
      convolve(plane, weights, &c, taps, kernel, 5, 1);
      break;
    case 5 * 4 + 2:
      convolve(plane, weights, &c, taps, kernel, 5, 2);
      break;
    case 7 * 4 + 1:
      convolve(plane, weights, &c, taps, kernel, 7, 1);
      break;
    default:
      convolve(plane, weights, &c, taps, kernel, 7, 2);
  }
}
#else
typedef int patchnas_mve_plane_is_empty; /* ISO C wants a declaration in every file */
#endif
