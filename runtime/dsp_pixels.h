/* Depthwise convolution 5x5 and 7x7 pixel by pixel, four channels at a time. Only where
 * PATCHNAS_DSP is defined and PATCHNAS_MVE is not. */
#ifndef PATCHNAS_RUNTIME_DSP_PIXELS_H
#define PATCHNAS_RUNTIME_DSP_PIXELS_H

#include "runtime/dsp_plane.h"

/* 1 if patchnas_dsp_convolve_pixels can compute this, and it is worth it: few outputs of a channel,
 * for which what patchnas_dsp_convolve_planes prepares for each channel would not pay. */
int patchnas_dsp_convolves_pixels(const patchnas_kernel* kernel, int32_t channels,
                                  const patchnas_dsp_plane* plane);

/* All channels. Outputs and what is read lie apart. */
void patchnas_dsp_convolve_pixels(const patchnas_kernel* kernel, const patchnas_weights* weights,
                                  int32_t channels, const patchnas_dsp_plane* plane);

#endif
