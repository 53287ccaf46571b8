/* Products of weight rows with columns of input values, for convolutions of all kinds. Only where
 * PATCHNAS_DSP is defined. */
#ifndef PATCHNAS_RUNTIME_DSP_MATRIX_H
#define PATCHNAS_RUNTIME_DSP_MATRIX_H

#include "runtime/dsp.h"

/* Columns of at most so many values are widened once for all weight rows; beyond, values are
 * widened for every two rows, which costs a third more and no memory. */
#ifndef PATCHNAS_DSP_COLUMN_TERMS
#define PATCHNAS_DSP_COLUMN_TERMS 64
#endif

/* Four columns, doubled as int16: for each four values those with even index of all four columns,
 * then those with odd index. */
typedef struct patchnas_dsp_columns {
  int16x2_t pairs[PATCHNAS_DSP_COLUMN_TERMS / 4][2][4];
} patchnas_dsp_columns;

/* The last `count` < 4 of the values before `end`, the rest 0. `first` is where they may be read
 * from. */
PATCHNAS_ALWAYS_INLINE uint32_t patchnas_dsp_last_word(const int8_t* first, const int8_t* end,
                                                       int32_t count) {
  if (end - first >= 4) {
    return patchnas_load_word(end - 4) >> (8 * (4 - count));
  }
  uint32_t word = 0;
  for (int32_t i = 0; i < count; ++i) {
    word |= (uint32_t)(uint8_t)end[i - count] << (8 * i);
  }
  return word;
}

PATCHNAS_ALWAYS_INLINE void patchnas_dsp_set_word(patchnas_dsp_columns* columns, int32_t index,
                                                  int32_t column, uint32_t word) {
  const int16x2_t even = patchnas_even_bytes(word);
  const int16x2_t odd = patchnas_odd_bytes(word);
  columns->pairs[index][0][column] = __sadd16(even, even);
  columns->pairs[index][1][column] = __sadd16(odd, odd);
}

PATCHNAS_ALWAYS_INLINE void patchnas_dsp_set_column(patchnas_dsp_columns* columns, int32_t column,
                                                    const int8_t* values, int32_t count) {
  const int32_t words = count / 4;
  const int8_t* at = values;
  for (int32_t i = 0; i < words; ++i, at += 4) {
    patchnas_dsp_set_word(columns, i, column, patchnas_load_word(at));
  }
  if (count % 4 != 0) {
    patchnas_dsp_set_word(columns, words, column,
                          patchnas_dsp_last_word(values, values + count, count % 4));
  }
}

/* Which channels are scaled exactly by what dsp.h does: all, or each has to be asked. */
typedef enum patchnas_dsp_exact { kPatchnasSomeExact, kPatchnasAllExact } patchnas_dsp_exact;

/* All weight rows, of `terms` weights each, times four columns. Outputs of a column lie side by
 * side from `out` on, those of the next one `pitch` further, where only min(columns_used, 4) are
 * different and written. */
void patchnas_dsp_multiply_columns(const patchnas_weights* weights,
                                   const patchnas_dsp_columns* columns, int32_t terms, int8_t* out,
                                   int32_t out_channels, int32_t columns_used, int32_t pitch,
                                   patchnas_dsp_exact exact);

/* Two columns that are not widened beforehand: `runs` runs of `run_terms` values that lie side by
 * side, of which only [runs_begin, runs_end) lie inside the image. */
typedef struct patchnas_dsp_pair_of_columns {
  const int8_t* values; /* of the run runs_begin of the first column */
  int32_t pitch;        /* from the first column to the second */
  int32_t run_pitch;
  int32_t run_terms, runs, runs_begin, runs_end;
} patchnas_dsp_pair_of_columns;

/* All weight rows times two columns. The second column's outputs go `out_pitch` bytes after the
 * first one's. */
void patchnas_dsp_multiply_pair(const patchnas_weights* weights,
                                const patchnas_dsp_pair_of_columns* columns, int8_t* out,
                                int32_t out_pitch, int32_t out_channels, patchnas_dsp_exact exact);

#endif
