/* Products of weight rows with the values of a single pixel. Only where PATCHNAS_MVE is defined. */
#ifndef PATCHNAS_RUNTIME_MVE_DOT_H
#define PATCHNAS_RUNTIME_MVE_DOT_H

#include "runtime/mve.h"

/* All weight rows, of `terms` weights each, times as many values that lie side by side. Outputs are
 * clamped to int8 alone. */
void patchnas_mve_multiply_pixel(const patchnas_weights* weights, const int8_t* values,
                                 int32_t terms, int8_t* out, int32_t out_channels);

#endif
