/* Depthwise convolution channel by channel: a channel's padded plane is copied and convolved. Only
 * where PATCHNAS_MVE is defined. */
#ifndef PATCHNAS_RUNTIME_MVE_PLANE_H
#define PATCHNAS_RUNTIME_MVE_PLANE_H

#include "runtime/mve.h"

/* Offsets of eight channels' values fit into 16 bits. */
#define PATCHNAS_MVE_MOST_CHANNELS 8192

/* 0, pitch, 2 * pitch, ... */
PATCHNAS_ALWAYS_INLINE uint16x8_t patchnas_mve_offsets_of_8(int32_t pitch) {
  return vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)pitch);
}

PATCHNAS_ALWAYS_INLINE uint32x4_t patchnas_mve_offsets_of_4(int32_t pitch) {
  return vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)pitch);
}

/* The plane of one channel, the part of it that lies inside the image, and where its values come
 * from and its outputs go. Pitches in bytes. */
typedef struct patchnas_mve_plane {
  int8_t* values; /* scratch */
  int32_t height, width;
  int32_t inside_row, inside_col, inside_rows, inside_cols;
  const int8_t* in; /* the first channel's first value inside the image */
  int32_t in_row_pitch;
  int8_t* out;
  int32_t out_row_pitch;
  int32_t out_rows, out_cols;
  int32_t channels;
} patchnas_mve_plane;

/* 1 if no output lies over a value that is read. */
PATCHNAS_ALWAYS_INLINE int patchnas_mve_is_apart(const patchnas_mve_plane* p) {
  const uintptr_t in = (uintptr_t)p->in;
  const uintptr_t in_end =
      in + (uint32_t)((p->inside_rows - 1) * p->in_row_pitch + p->inside_cols * p->channels);
  const uintptr_t out = (uintptr_t)p->out;
  const uintptr_t out_end =
      out + (uint32_t)((p->out_rows - 1) * p->out_row_pitch + p->out_cols * p->channels);
  return out >= in_end || in >= out_end;
}

/* 1 if patchnas_mve_convolve_planes can compute this. */
int patchnas_mve_convolves_planes(const patchnas_kernel* kernel, const patchnas_mve_plane* plane);

/* All channels, one after the other; the output may lie over the input. */
void patchnas_mve_convolve_planes(const patchnas_kernel* kernel, const patchnas_weights* weights,
                                  const patchnas_mve_plane* plane);

#endif
