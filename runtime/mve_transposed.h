/* One phase of a transposed convolution. Only where PATCHNAS_MVE is defined. */
#ifndef PATCHNAS_RUNTIME_MVE_TRANSPOSED_H
#define PATCHNAS_RUNTIME_MVE_TRANSPOSED_H

#include "runtime/mve.h"
#include "runtime/transposed.h"

/* Outputs are clamped to int8 alone. */
void patchnas_mve_convolve_phase(const patchnas_phase* phase);

#endif
