/* Depthwise convolution of one channel's padded plane. Only where PATCHNAS_MVE is
 * defined. */
#ifndef PATCHNAS_RUNTIME_MVE_PLANE_H
#define PATCHNAS_RUNTIME_MVE_PLANE_H

#include "runtime/mve.h"

/* A plane and where the outputs of its channel go: `pitch` bytes from one to the next in a row. */
typedef struct patchnas_mve_plane {
  const int8_t* values;
  int32_t width; /* bytes of a row of the plane */
  int8_t* out;
  int32_t out_row_pitch, out_pitch;
  int32_t out_rows, out_cols;
} patchnas_mve_plane;

/* 1 for the kernels that patchnas_mve_convolve_plane computes: up to 7 rows, 3, 5 or 7 columns,
 * column stride 1 or 2. */
int patchnas_mve_convolves_planes(const patchnas_kernel* kernel);

void patchnas_mve_convolve_plane(const patchnas_kernel* kernel, const patchnas_weights* weights,
                                 int32_t channels, int32_t channel,
                                 const patchnas_mve_plane* plane);

/* `count` bytes, `pitch` from one to the next, to bytes side by side. */
void patchnas_mve_copy_channel(const int8_t* from, int32_t pitch, int8_t* to, int32_t count);

#endif
