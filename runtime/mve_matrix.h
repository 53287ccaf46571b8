/* Products of weight rows with one pixel's values, for convolutions of all kinds. Only where
 * PATCHNAS_MVE is defined. */
#ifndef PATCHNAS_RUNTIME_MVE_MATRIX_H
#define PATCHNAS_RUNTIME_MVE_MATRIX_H

#include "runtime/mve.h"

/* What output pixels side by side read: `runs` runs of `run_terms` values that lie side by side
 * each, `pitch` further for the next pixel. Only the values [begin, end) of the runs [runs_begin,
 * runs_end) are inside the image. */
typedef struct patchnas_mve_pixels {
  const int8_t* values; /* the first pixel's first value inside the image */
  int32_t pitch, count;
  int32_t run_pitch, run_terms, runs;
  int32_t begin, end, runs_begin, runs_end;
} patchnas_mve_pixels;

/* All weight rows times the pixels; outputs lie side by side. */
void patchnas_mve_multiply(const patchnas_weights* weights, const patchnas_mve_pixels* pixels,
                           int8_t* out, int32_t out_channels);

#endif
