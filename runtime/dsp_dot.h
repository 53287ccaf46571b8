/* Products of four weight rows with the values of a single pixel. Only where PATCHNAS_DSP is
 * defined. */
#ifndef PATCHNAS_RUNTIME_DSP_DOT_H
#define PATCHNAS_RUNTIME_DSP_DOT_H

#include "runtime/dsp.h"

/* Adds to each row's sum the products of `count` weights and values, modulo 2^32. Rows may be the
 * same. */
void patchnas_dsp_add_four(int32_t sums[4], const int8_t* const rows[4], const int8_t* values,
                           int32_t count);

/* The four rows from `first` on, `pitch` bytes apart. Rows beyond the last of `count` are the last
 * one again. */
PATCHNAS_ALWAYS_INLINE void patchnas_dsp_four_rows(const int8_t* rows[4], const int8_t* first,
                                                   int32_t pitch, int32_t count) {
  for (int32_t i = 0; i < 4; ++i) {
    rows[i] = first + (i < count ? i : count - 1) * pitch;
  }
}

#endif
