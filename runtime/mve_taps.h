/* Convolutions whose taps, or whose weights, lie apart: pixel by pixel, four channels at a time.
 * Only where PATCHNAS_MVE is defined. */
#ifndef PATCHNAS_RUNTIME_MVE_TAPS_H
#define PATCHNAS_RUNTIME_MVE_TAPS_H

#include "runtime/mve_rows.h"

/* `rows` x `cols` taps of `terms` values that lie side by side, as their weights do. Pitches are
 * bytes from one tap to the next, and from one channel's weights to the next one's. */
typedef struct patchnas_mve_taps {
  int32_t rows, cols, terms;
  int32_t values_row_pitch, values_col_pitch;
  int32_t weights_row_pitch, weights_col_pitch, weights_pitch;
} patchnas_mve_taps;

/* Whether the zero point of the input is in the biases already, for all taps. */
typedef enum patchnas_mve_biases { kPatchnasFolded, kPatchnasUnfolded } patchnas_mve_biases;

/* Room for the sums of so many taps' weights; of more they are added up where they are needed. */
enum { PATCHNAS_MVE_MOST_TAP_SUMS = 16 };

/* Four channels. */
typedef struct patchnas_mve_channels {
  int32_t tap_sums[PATCHNAS_MVE_MOST_TAP_SUMS][4];
  patchnas_mve_rows rows;
  patchnas_mve_scale scale;
  int32x4_t biases; /* without the zero point */
  int32x4_t folded; /* with it, for all taps */
  mve_pred16_t lanes;
} patchnas_mve_channels;

/* Those from `channel` on, of which the last are missing where there are fewer. */
void patchnas_mve_begin_channels(patchnas_mve_channels* channels, const patchnas_weights* weights,
                                 const patchnas_mve_taps* taps, int32_t channel,
                                 int32_t out_channels, patchnas_mve_biases biases);

/* The four channels of one pixel, of which the taps in `rows` and `cols` are inside the image.
 * `values` are those of the first tap, inside or not. */
void patchnas_mve_convolve_taps(const patchnas_weights* weights, const patchnas_mve_taps* taps,
                                const patchnas_mve_channels* channels, patchnas_taps rows,
                                patchnas_taps cols, const int8_t* values, int8_t* out);

#endif
