/* Convolutions in groups of a single channel, which have too few products for the matrix. Only
 * where PATCHNAS_DSP is defined. */
#ifndef PATCHNAS_RUNTIME_DSP_CHANNELS_H
#define PATCHNAS_RUNTIME_DSP_CHANNELS_H

#include "runtime/dsp.h"

/* Outputs are clamped to int8 alone where they are exact (patchnas_dsp_are_exact). */
void patchnas_dsp_convolve_channels(const patchnas_groups* groups, const patchnas_weights* weights,
                                    const patchnas_window* input, const patchnas_window* output,
                                    patchnas_rect computed);

#endif
