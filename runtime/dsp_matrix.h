/* Products of weight rows with columns of input values, for convolutions of all kinds. Only where
 * PATCHNAS_DSP is defined. */
#ifndef PATCHNAS_RUNTIME_DSP_MATRIX_H
#define PATCHNAS_RUNTIME_DSP_MATRIX_H

#include "runtime/dsp.h"

/* What one output pixel reads: `runs` runs of values that lie side by side, of which only the terms
 * [begin, end) of the runs [runs_begin, runs_end) lie inside the image. Terms outside are the
 * input's zero point. */
typedef struct patchnas_dsp_column {
  const int8_t* corner; /* where the first term would be, inside the image or not */
  int32_t begin, end, runs_begin, runs_end;
  int8_t* out; /* the pixel's first channel */
} patchnas_dsp_column;

/* Four columns, which may be the same. */
typedef struct patchnas_dsp_columns {
  patchnas_dsp_column columns[4];
  int32_t run, runs; /* terms in a run */
  int32_t run_pitch; /* bytes from one run to the next */
  /* Where runs consist of pieces, such as taps that lie apart: */
  int32_t piece;       /* terms that lie side by side; their number divides that of a run */
  int32_t piece_pitch; /* bytes from one piece to the next */
  /* Where weights lie apart as well: bytes from the end of one piece's weights to the next one's,
   * in addition from one run's to the next, and from row to row. */
  int32_t next_piece_weights, next_run_weights, weights_pitch;
} patchnas_dsp_columns;

/* Which channels are scaled exactly by patchnas_dsp_finish; where it is some, each has to be asked.
 */
typedef enum patchnas_dsp_exact {
  kPatchnasNoneExact,
  kPatchnasSomeExact,
  kPatchnasAllExact
} patchnas_dsp_exact;

patchnas_dsp_exact patchnas_dsp_which_exact(const patchnas_weights* weights, int32_t out_channels,
                                            int32_t terms);

/* All weight rows times four columns. */
void patchnas_dsp_multiply(const patchnas_weights* weights, const patchnas_dsp_columns* columns,
                           int32_t out_channels, patchnas_dsp_exact exact);

/* The same for the first `used` columns, fewer than four; none where there are none. */
void patchnas_dsp_multiply_rest(const patchnas_weights* weights, patchnas_dsp_columns* columns,
                                int used, int32_t out_channels, patchnas_dsp_exact exact);

/* The same for runs that consist of pieces: all four or fewer columns. */
void patchnas_dsp_multiply_pieces(const patchnas_weights* weights, patchnas_dsp_columns* columns,
                                  int used, int32_t out_channels, patchnas_dsp_exact exact);

/* The same where weights lie apart, for at most PATCHNAS_DSP_MOST_APART rows. Each piece is inside
 * the image or outside. */
enum { PATCHNAS_DSP_MOST_APART = 16 };
void patchnas_dsp_multiply_apart(const patchnas_weights* weights, patchnas_dsp_columns* columns,
                                 int used, int32_t rows, patchnas_dsp_exact exact);

#endif
