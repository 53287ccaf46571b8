/* Products of weight rows with pixels' values, for convolutions of all kinds. Only where
 * PATCHNAS_MVE is defined. */
#ifndef PATCHNAS_RUNTIME_MVE_MATRIX_H
#define PATCHNAS_RUNTIME_MVE_MATRIX_H

#include "runtime/mve.h"

/* Output pixels that read the same values of their windows, and where they go: `lines` lines of
 * `count` pixels. A window is `runs` runs of `run_terms` values that lie side by side each; only
 * the values [begin, end) of the runs [runs_begin, runs_end), or none, are inside the image. */
typedef struct patchnas_mve_pixels {
  const int8_t* values; /* the first pixel's first value inside the image */
  int8_t* out;
  int32_t count, pitch, out_pitch; /* bytes from one pixel to the next */
  int32_t lines, line_pitch, out_line_pitch;
  int32_t run_pitch, run_terms, runs;
  int32_t begin, end, runs_begin, runs_end;
  int32_t weights_run_pitch, weights_pitch; /* from run to run, and from row to row */
} patchnas_mve_pixels;

/* All weight rows times the pixels. */
void patchnas_mve_multiply(const patchnas_weights* weights, const patchnas_mve_pixels* pixels,
                           int32_t out_channels);

#endif
