#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve_matrix.h"
#include "runtime/mve_taps.h"
#include "runtime/mve_transposed.h"

enum { kGatheredBytes = 256, kMostGatheredChannels = 16 };

/* How many of the phase's rows from `row` on have the same taps inside the image. */
static int32_t count_rows(const patchnas_phase* p, int32_t row) {
  const patchnas_taps taps = patchnas_rows_behind(p, row);
  for (int32_t count = 1;; ++count) {
    row += p->kernel->stride_h;
    const patchnas_taps next = patchnas_rows_behind(p, row);
    if (row >= p->computed.row_end || next.begin != taps.begin || next.end != taps.end) {
      return count;
    }
  }
}

static int32_t count_cols(const patchnas_phase* p, int32_t col) {
  const patchnas_taps taps = patchnas_cols_behind(p, col);
  for (int32_t count = 1;; ++count) {
    col += p->kernel->stride_w;
    const patchnas_taps next = patchnas_cols_behind(p, col);
    if (col >= p->computed.col_end || next.begin != taps.begin || next.end != taps.end) {
      return count;
    }
  }
}

/* Whether a row has one tap, and weights need not be moved. */
static int is_column(const patchnas_phase* p) { return p->cols <= 1; }

/* Positions that have the same taps inside the image: `lines` x `count` from (row, col) on. The
 * weights are those of a column, or lie side by side in the order of the values. */
static void multiply_alike(const patchnas_phase* p, const patchnas_weights* weights, int32_t row,
                           int32_t col, int32_t lines, int32_t count, int32_t channel,
                           int32_t channels) {
  const patchnas_taps rows = patchnas_rows_behind(p, row);
  const patchnas_taps cols = patchnas_cols_behind(p, col);
  const int32_t inputs = p->input->channels;
  const int32_t pitch = p->input->width * inputs;
  const patchnas_mve_pixels pixels = {
      .values = patchnas_pixel(p->input, rows.origin - rows.begin, cols.origin - (cols.end - 1)),
      .out = patchnas_pixel(p->output, row, col) + channel,
      .count = count,
      .pitch = inputs,
      .out_pitch = p->kernel->stride_w * p->output->channels,
      .lines = lines,
      .line_pitch = pitch,
      .out_line_pitch = p->kernel->stride_h * p->output->width * p->output->channels,
      .run_pitch = -pitch,
      .run_terms = p->cols * inputs,
      .runs = p->rows,
      .begin = (p->cols - cols.end) * inputs,
      .end = (p->cols - cols.begin) * inputs,
      .runs_begin = rows.begin,
      .runs_end = rows.end,
      .weights_run_pitch = is_column(p) ? p->row_pitch : p->cols * inputs,
      .weights_pitch = is_column(p) ? p->channel_pitch : p->rows * p->cols * inputs};
  patchnas_mve_multiply(weights, &pixels, channels);
}

/* Returns the sum of one channel's weights, and moves them, each row in the order of the values,
 * where `to` is not null. */
static int32_t gather_weights(const patchnas_phase* p, const int8_t* weights, int8_t* to) {
  const int32_t inputs = p->input->channels;
  int32_t sum = 0;
  for (int32_t y = 0; y < p->rows; ++y, weights += p->row_pitch) {
    for (int32_t x = p->cols - 1; x >= 0; --x) {
      sum = patchnas_mve_sum_of_weights(sum, weights + x * p->col_pitch, inputs);
      if (to != 0) {
        patchnas_mve_copy(to, weights + x * p->col_pitch, inputs);
        to += inputs;
      }
    }
  }
  return sum;
}

/* Not inlined, as the next one, for the sake of the stack of the other. */
static __attribute__((noinline)) void convolve_gathered(const patchnas_phase* p, int32_t channel,
                                                        int32_t channels) {
  int8_t gathered[kGatheredBytes];
  int32_t biases[kMostGatheredChannels];
  const int32_t terms = p->rows * p->cols * p->input->channels;
  const patchnas_weights* const w = p->weights;
  const int8_t* const first = w->weights + channel * p->channel_pitch + p->first_weights;
  patchnas_weights part = *w;
  part.weights = is_column(p) ? first : gathered;
  part.biases = biases;
  part.multipliers += channel;
  part.shifts += channel;
  for (int32_t i = 0; i < channels; ++i) {
    const int32_t sum =
        gather_weights(p, first + i * p->channel_pitch, is_column(p) ? 0 : gathered + i * terms);
    biases[i] = (int32_t)((uint32_t)w->biases[channel + i] - (uint32_t)(sum * w->input_zero_point));
  }
  for (int32_t row = p->computed.row_begin; row < p->computed.row_end;) {
    const int32_t lines = count_rows(p, row);
    for (int32_t col = p->computed.col_begin; col < p->computed.col_end;) {
      const int32_t count = count_cols(p, col);
      multiply_alike(p, &part, row, col, lines, count, channel, channels);
      col += count * p->kernel->stride_w;
    }
    row += lines * p->kernel->stride_h;
  }
}

static __attribute__((noinline)) void convolve_apart(const patchnas_phase* p, int32_t channel) {
  const int32_t inputs = p->input->channels;
  const patchnas_mve_taps taps = {.rows = p->rows,
                                  .cols = p->cols,
                                  .terms = inputs,
                                  .values_row_pitch = -p->input->width * inputs,
                                  .values_col_pitch = -inputs,
                                  .weights_row_pitch = p->row_pitch,
                                  .weights_col_pitch = p->col_pitch,
                                  .weights_pitch = p->channel_pitch};
  patchnas_weights part = *p->weights;
  patchnas_mve_channels channels;
  part.weights += p->first_weights;
  patchnas_mve_begin_channels(&channels, &part, &taps, channel, p->output->channels,
                              kPatchnasUnfolded);
  for (int32_t row = p->computed.row_begin; row < p->computed.row_end; row += p->kernel->stride_h) {
    const patchnas_taps rows = patchnas_rows_behind(p, row);
    for (int32_t col = p->computed.col_begin; col < p->computed.col_end;
         col += p->kernel->stride_w) {
      const patchnas_taps cols = patchnas_cols_behind(p, col);
      patchnas_mve_convolve_taps(&part, &taps, &channels, rows, cols,
                                 patchnas_pixel(p->input, rows.origin, cols.origin),
                                 patchnas_pixel(p->output, row, col) + channel);
    }
  }
}

void patchnas_mve_convolve_phase(const patchnas_phase* p) {
  const int32_t terms = p->rows * p->cols * p->input->channels;
  const int32_t room = is_column(p) ? kMostGatheredChannels : kGatheredBytes / terms & ~3;
  const int32_t most = room < kMostGatheredChannels ? room : kMostGatheredChannels;
  const int32_t out_channels = p->output->channels;
  for (int32_t channel = 0; channel < out_channels; channel += most < 4 ? 4 : most) {
    const int32_t left = out_channels - channel;
    if (most < 4) {
      convolve_apart(p, channel);
    } else {
      convolve_gathered(p, channel, left < most ? left : most);
    }
  }
}
#else
typedef int patchnas_mve_transposed_is_empty; /* ISO C wants a declaration in every file */
#endif
