/* Depthwise convolution pixel by pixel, four channels at a time. Only where PATCHNAS_MVE is
 * defined. */
#ifndef PATCHNAS_RUNTIME_MVE_PIXELS_H
#define PATCHNAS_RUNTIME_MVE_PIXELS_H

#include "runtime/mve_plane.h"

/* 1 if patchnas_mve_convolve_pixels can compute this, and it is worth it: few outputs of a channel,
 * for which what is prepared for each channel otherwise would not pay, apart from the input. */
int patchnas_mve_convolves_pixels(const patchnas_kernel* kernel, const patchnas_mve_plane* plane);

/* All channels. Needs no scratch. */
void patchnas_mve_convolve_pixels(const patchnas_kernel* kernel, const patchnas_weights* weights,
                                  const patchnas_mve_plane* plane);

#endif
