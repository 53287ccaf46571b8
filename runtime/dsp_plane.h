/* Depthwise convolution of one channel's padded plane. Only where PATCHNAS_DSP is defined. */
#ifndef PATCHNAS_RUNTIME_DSP_PLANE_H
#define PATCHNAS_RUNTIME_DSP_PLANE_H

#include "runtime/dsp.h"

/* A plane and where the outputs of its channel go: `pitch` bytes from one to the next in a row. */
typedef struct patchnas_dsp_plane {
  const int8_t* values;
  int32_t width; /* bytes of a row of the plane */
  int8_t* out;
  int32_t out_row_pitch, out_pitch;
  int32_t out_rows, out_cols;
} patchnas_dsp_plane;

/* 1 for the kernels that patchnas_dsp_convolve_plane computes: 3x3, 5x5, 7x7, stride 1 or 2. */
int patchnas_dsp_convolves_planes(const patchnas_kernel* kernel);

/* Reads up to three bytes beyond the plane. */
void patchnas_dsp_convolve_plane(const patchnas_kernel* kernel, const patchnas_weights* weights,
                                 int32_t channels, int32_t channel,
                                 const patchnas_dsp_plane* plane);

#endif
