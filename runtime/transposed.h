/* Transposed convolutions as convolutions that read. For convolve_transposed.c and its forms. */
#ifndef PATCHNAS_RUNTIME_TRANSPOSED_H
#define PATCHNAS_RUNTIME_TRANSPOSED_H

#include "runtime/arithmetic.h"

/* Positions of the output that are equally far behind one that an input's first tap hits read the
 * same weights: those of every stride-th tap from a first one on, `rows` x `cols` of them. Their
 * values are those of a convolution with stride 1 that reads the input backwards. */
typedef struct patchnas_phase {
  const patchnas_kernel* kernel;
  const patchnas_weights* weights;
  const patchnas_window* input;
  const patchnas_window* output;
  patchnas_rect computed; /* begins with the phase's first positions; others are a stride apart */
  int32_t rows, cols;
  int32_t first_weights; /* bytes from a channel's first weight to its first one in the phase */
  int32_t row_pitch, col_pitch, channel_pitch; /* bytes between their weights */
} patchnas_phase;

/* The taps, of `count` backwards from position `last` on, that are inside the image. */
static inline patchnas_taps patchnas_taps_behind(int32_t last, int32_t count, int32_t extent) {
  patchnas_taps taps = {last, last < extent ? 0 : last - extent + 1,
                        last < count ? last + 1 : count};
  if (taps.begin > taps.end) {
    taps.begin = taps.end;
  }
  return taps;
}

static inline patchnas_taps patchnas_rows_behind(const patchnas_phase* p, int32_t row) {
  const patchnas_kernel* const k = p->kernel;
  return patchnas_taps_behind((row + k->pad_top) / k->stride_h, p->rows, k->input_height);
}

static inline patchnas_taps patchnas_cols_behind(const patchnas_phase* p, int32_t col) {
  const patchnas_kernel* const k = p->kernel;
  return patchnas_taps_behind((col + k->pad_left) / k->stride_w, p->cols, k->input_width);
}

#endif
