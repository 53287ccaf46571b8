/* One phase of a transposed convolution. Only where PATCHNAS_DSP is defined. */
#ifndef PATCHNAS_RUNTIME_DSP_TRANSPOSED_H
#define PATCHNAS_RUNTIME_DSP_TRANSPOSED_H

#include "runtime/dsp.h"
#include "runtime/transposed.h"

/* Outputs are clamped to int8 alone, or further. */
void patchnas_dsp_convolve_phase(const patchnas_phase* phase);

#endif
