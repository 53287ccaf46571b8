/* Depthwise convolution channel by channel, in strips of few rows. Only where PATCHNAS_MVE is
 * defined. */
#ifndef PATCHNAS_RUNTIME_MVE_STRIP_H
#define PATCHNAS_RUNTIME_MVE_STRIP_H

#include "runtime/mve_plane.h"

/* 1 if patchnas_mve_convolve_strips can compute this, and it is worth it: a kernel 3x3 of stride 1
 * with enough rows, and an output that overwrites no row before its strip is read. */
int patchnas_mve_convolves_strips(const patchnas_kernel* kernel, const patchnas_mve_plane* plane);

/* All channels, one after the other; the output may lie over the input. Of the plane's memory only
 * the beginning is used. */
void patchnas_mve_convolve_strips(const patchnas_weights* weights, const patchnas_mve_plane* plane);

/* 1 if patchnas_mve_convolve_rows can compute this: one to four rows. */
int patchnas_mve_convolves_rows(const patchnas_kernel* kernel, const patchnas_mve_plane* plane);

/* All channels, one after the other; the output may lie over the input, pixel over pixel. */
void patchnas_mve_convolve_rows(const patchnas_kernel* kernel, const patchnas_weights* weights,
                                const patchnas_mve_plane* plane);

#endif
