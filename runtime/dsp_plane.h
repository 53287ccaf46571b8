/* Depthwise convolution channel by channel. Like its neighbours only where PATCHNAS_DSP is defined
 * and PATCHNAS_MVE is not. */
#ifndef PATCHNAS_RUNTIME_DSP_PLANE_H
#define PATCHNAS_RUNTIME_DSP_PLANE_H

#include "runtime/dsp.h"

/* The padded plane of one channel that the windows touch, and where the outputs go. Pitches are
 * bytes from one value to the next and from row to row. */
typedef struct patchnas_dsp_plane {
  const int8_t* values; /* where the plane's first value would be, inside the image or not */
  int32_t pitch, row_pitch;
  patchnas_taps rows, cols; /* inside the image */
  int32_t height;
  int8_t* out;
  int32_t out_pitch, out_row_pitch;
  int32_t out_rows, out_cols;
} patchnas_dsp_plane;

/* 1 for the kernels that patchnas_dsp_convolve_planes computes: 3x3, 5x5, 7x7, stride 1 or 2. */
int patchnas_dsp_convolves_planes(const patchnas_kernel* kernel);

/* 1 if no output lies over a value that is read. */
int patchnas_dsp_is_apart(const patchnas_dsp_plane* plane);

/* 1 if rows of outputs, each written from left to right before the next one is read, overwrite no
 * value of a channel that is read later, where the outputs do not lie apart, but pixel over pixel.
 */
int patchnas_dsp_writes_rows_behind(const patchnas_kernel* kernel, const patchnas_dsp_plane* plane);

/* 1 if patchnas_dsp_convolve_planes overwrites no value of a channel before it is read, where the
 * outputs do not lie apart, but pixel over pixel. */
int patchnas_dsp_writes_behind(const patchnas_kernel* kernel, const patchnas_dsp_plane* plane);

/* 1 if they can scale this channel. */
int patchnas_dsp_planes_scale(const patchnas_weights* weights, int32_t channel);

/* The channels [begin, end), whose planes and outputs lie side by side from those of channel
 * `begin` on, but those that cannot be scaled: returns how many these are. */
int32_t patchnas_dsp_convolve_planes(const patchnas_kernel* kernel, const patchnas_weights* weights,
                                     int32_t channels, int32_t begin, int32_t end,
                                     const patchnas_dsp_plane* plane);

#endif
