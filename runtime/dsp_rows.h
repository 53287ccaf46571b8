/* Depthwise convolution 3x3, row by row. Only where PATCHNAS_DSP is defined and PATCHNAS_MVE is
 * not. */
#ifndef PATCHNAS_RUNTIME_DSP_ROWS_H
#define PATCHNAS_RUNTIME_DSP_ROWS_H

#include "runtime/dsp_plane.h"

/* 1 if patchnas_dsp_convolve_rows can compute this: 3x3 with stride 1 or 2, at most one row or
 * column outside the image on any side, and outputs that lie apart or so far in front of what is
 * read, pixel over pixel, that no value is overwritten before it is read. */
int patchnas_dsp_convolves_rows(const patchnas_kernel* kernel, const patchnas_dsp_plane* plane);

/* 1 if it can scale this channel. */
int patchnas_dsp_rows_scale(const patchnas_weights* weights, int32_t channel);

/* All channels but those that cannot be scaled so: returns how many these are. */
int32_t patchnas_dsp_convolve_rows(const patchnas_kernel* kernel, const patchnas_weights* weights,
                                   int32_t channels, const patchnas_dsp_plane* plane);

#endif
