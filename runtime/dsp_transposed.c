/* Loops that copy bytes are to stay loops: there may be no memcpy. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

#include "runtime/simd.h"

#if defined(PATCHNAS_DSP) && !defined(PATCHNAS_MVE)
#include "runtime/dsp_dot.h"
#include "runtime/dsp_matrix.h"
#include "runtime/dsp_transposed.h"

/* Channels that the matrix computes together, and room for the weights of one. */
enum { kMostChannels = PATCHNAS_DSP_MOST_APART, kGatheredBytes = 256 };

static int32_t sum_of_weights(const int8_t* weights, int32_t count) {
  const uint32_t signs = 0x80808080u; /* bytes as numbers without sign, 128 larger */
  uint32_t sum = 0;
  int32_t left = count;
  for (; left >= 4; left -= 4, weights += 4) {
    sum = __usada8(patchnas_load_word(weights) ^ signs, 0, sum);
  }
  int32_t result = (int32_t)sum - (count - left) * 128;
  for (; left > 0; --left) {
    result += *weights++;
  }
  return result;
}

static const int8_t* weights_of(const patchnas_phase* p, int32_t channel) {
  return p->weights->weights + channel * p->channel_pitch + p->first_weights;
}

/* With the zero point folded in, for taps that are all inside the image. */
static uint32_t folded_bias(const patchnas_phase* p, int32_t channel) {
  const int8_t* row = weights_of(p, channel);
  int32_t sum = 0;
  for (int32_t y = 0; y < p->rows; ++y, row += p->row_pitch) {
    for (int32_t x = 0; x < p->cols; ++x) {
      sum += sum_of_weights(row + x * p->col_pitch, p->input->channels);
    }
  }
  return (uint32_t)p->weights->biases[channel] - (uint32_t)(sum * p->weights->input_zero_point);
}

/* ---- Many channels ---- */

static __attribute__((noinline)) void set_weights_apart(const patchnas_phase* p,
                                                        patchnas_dsp_columns* c) {
  const int32_t inputs = p->input->channels;
  c->piece = inputs;
  c->piece_pitch = -inputs;
  c->next_piece_weights = p->col_pitch - inputs;
  c->next_run_weights = p->row_pitch - p->cols * p->col_pitch;
  c->weights_pitch = p->channel_pitch;
}

/* Not inlined, as those below, for the sake of the stack of others. */
static __attribute__((noinline)) void set_column(const patchnas_phase* p, int32_t row, int32_t col,
                                                 int32_t channel, patchnas_dsp_column* column) {
  const int32_t inputs = p->input->channels;
  const patchnas_taps rows = patchnas_rows_behind(p, row);
  const patchnas_taps cols = patchnas_cols_behind(p, col);
  column->corner = patchnas_pixel(p->input, rows.origin, cols.origin);
  column->begin = cols.begin * inputs;
  column->end = cols.end * inputs;
  column->runs_begin = rows.begin;
  column->runs_end = rows.end;
  column->out = patchnas_pixel(p->output, row, col) + channel;
}

/* At most kMostChannels. */
static __attribute__((noinline)) void convolve_matrix(const patchnas_phase* p, int32_t channel,
                                                      int32_t channels) {
  int32_t biases[kMostChannels];
  for (int32_t i = 0; i < channels; ++i) {
    biases[i] = (int32_t)folded_bias(p, channel + i);
  }
  patchnas_weights part = *p->weights;
  part.weights = weights_of(p, channel);
  part.biases = biases;
  part.multipliers += channel;
  part.shifts += channel;
  patchnas_dsp_columns c;
  c.run = p->cols * p->input->channels;
  c.runs = p->rows;
  c.run_pitch = -p->input->width * p->input->channels;
  set_weights_apart(p, &c);
  const patchnas_dsp_exact exact = patchnas_dsp_which_exact(&part, channels, c.run * c.runs);
  int j = 0; /* columns of the next four, from whatever rows */
  for (int32_t row = p->computed.row_begin; row < p->computed.row_end; row += p->kernel->stride_h) {
    for (int32_t col = p->computed.col_begin; col < p->computed.col_end;
         col += p->kernel->stride_w) {
      set_column(p, row, col, channel, &c.columns[j]);
      if (++j == 4) {
        patchnas_dsp_multiply_apart(&part, &c, j, channels, exact);
        j = 0;
      }
    }
  }
  patchnas_dsp_multiply_apart(&part, &c, j, channels, exact);
}

/* ---- Few channels: one after the other ---- */

/* Each row in the order of the values. */
static void gather_weights(const patchnas_phase* p, const int8_t* weights, int8_t* to) {
  for (int32_t y = 0; y < p->rows; ++y, weights += p->row_pitch) {
    for (int32_t x = p->cols - 1; x >= 0; --x) {
      const int8_t* from = weights + x * p->col_pitch;
      for (int32_t i = 0; i < p->input->channels; ++i) {
        *to++ = *from++;
      }
    }
  }
}

/* A single position, of which any taps are inside the image. */
static __attribute__((noinline)) void convolve_position(const patchnas_phase* p, int32_t channel,
                                                        int32_t row, int32_t col) {
  const int32_t inputs = p->input->channels;
  const int32_t zero_point = p->weights->input_zero_point;
  const patchnas_taps rows = patchnas_rows_behind(p, row);
  const patchnas_taps cols = patchnas_cols_behind(p, col);
  uint32_t sum = (uint32_t)p->weights->biases[channel];
  for (int32_t y = rows.begin; y < rows.end; ++y) {
    const int8_t* tap = weights_of(p, channel) + y * p->row_pitch + cols.begin * p->col_pitch;
    const int8_t* value = patchnas_pixel(p->input, rows.origin - y, cols.origin - cols.begin);
    for (int32_t x = cols.begin; x < cols.end; ++x) {
      for (int32_t i = 0; i < inputs; ++i) {
        sum += (uint32_t)(tap[i] * (value[i] - zero_point));
      }
      tap += p->col_pitch;
      value -= inputs;
    }
  }
  patchnas_pixel(p->output, row, col)[channel] = patchnas_finish(p->weights, channel, sum);
}

/* Positions of one row that have all taps inside the image, four at a time; the last four overlap
 * those before them. `values` are those of the first position in the last row. */
static void convolve_fours(const patchnas_phase* p, int32_t channel, uint32_t bias,
                           const int8_t* gathered, const int8_t* values, int32_t count,
                           int8_t* out) {
  const int32_t inputs = p->input->channels;
  const int32_t run = p->cols * inputs;
  const int32_t out_pitch = p->kernel->stride_w * p->output->channels;
  const patchnas_dsp_scale scale = patchnas_dsp_scale_of(p->weights, channel);
  const int is_exact =
      bias + (1u << 29) < 1u << 30 &&
      patchnas_dsp_can_scale(p->weights->multipliers[channel], p->weights->shifts[channel]);
  for (int32_t done = 0; done < count; done += 4) {
    const int32_t begin = count - done < 4 ? count - 4 : done;
    int32_t sums[4];
    sums[0] = sums[1] = sums[2] = sums[3] = 0;
    for (int32_t y = 0; y < p->rows; ++y) {
      const int8_t* rows[4];
      patchnas_dsp_four_rows(rows, values + (begin - y * p->input->width) * inputs, inputs, 4);
      patchnas_dsp_add_four(sums, rows, gathered + y * run, run);
    }
    for (int32_t i = 0; i < 4; ++i) {
      const uint32_t sum = bias + (uint32_t)sums[i];
      out[(begin + i) * out_pitch] = is_exact ? patchnas_dsp_finish(scale, (int32_t)(2 * sum))
                                              : patchnas_finish(p->weights, channel, sum);
    }
  }
}

static __attribute__((noinline)) void convolve_channel(const patchnas_phase* p, int32_t channel) {
  const int32_t stride = p->kernel->stride_w;
  const patchnas_rect rect = p->computed;
  const uint32_t bias = folded_bias(p, channel);
  int8_t gathered[kGatheredBytes];
  gather_weights(p, weights_of(p, channel), gathered);
  /* Columns inside are those of which tap 0 reads positions from `least` to before the end. */
  const int32_t least = p->cols - 1;
  const int32_t first = (rect.col_begin + p->kernel->pad_left) / stride;
  const int32_t skipped = first < least ? least - first : 0;
  const int32_t held = (rect.col_end - rect.col_begin + stride - 1) / stride;
  const int32_t end = held < p->kernel->input_width - first ? held : p->kernel->input_width - first;
  const int32_t fours = end - skipped >= 4 ? end - skipped : 0;
  for (int32_t row = rect.row_begin; row < rect.row_end; row += p->kernel->stride_h) {
    const patchnas_taps rows = patchnas_rows_behind(p, row);
    int32_t col = rect.col_begin;
    if (fours > 0 && rows.end - rows.begin == p->rows) {
      for (; col < rect.col_begin + skipped * stride; col += stride) {
        convolve_position(p, channel, row, col);
      }
      convolve_fours(p, channel, bias, gathered,
                     patchnas_pixel(p->input, rows.origin, first + skipped - least), fours,
                     patchnas_pixel(p->output, row, col) + channel);
      col += fours * stride;
    }
    for (; col < rect.col_end; col += stride) {
      convolve_position(p, channel, row, col);
    }
  }
}

/* How many channels are not worth the matrix's while: more where taps are no whole words. */
static int32_t few_channels(const patchnas_phase* p) {
  const int32_t inputs = p->input->channels;
  if (p->rows * p->cols * inputs > kGatheredBytes) {
    return 0;
  }
  return inputs % 4 == 0 ? 2 : 4;
}

void patchnas_dsp_convolve_phase(const patchnas_phase* p) {
  const int32_t channels = p->output->channels;
  const int32_t few = few_channels(p);
  int32_t channel = 0;
  while (channels - channel > few) {
    const int32_t left = channels - channel;
    const int32_t count = left < kMostChannels ? left : kMostChannels;
    convolve_matrix(p, channel, count);
    channel += count;
  }
  for (; channel < channels; ++channel) {
    convolve_channel(p, channel);
  }
}
#else
typedef int patchnas_dsp_transposed_is_empty; /* ISO C wants a declaration in every file */
#endif
