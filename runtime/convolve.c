#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve_matrix.h"

enum { kGatheredBytes = 256, kMostGatheredTerms = 64 };

static int8_t* fill_bytes(int8_t* to, int32_t count, int8_t value) {
  for (; count > 0; count -= 16) {
    vstrbq_p_s8(to, vdupq_n_s8(value), vctp8q((uint32_t)count));
    to += count < 16 ? count : 16;
  }
  return to;
}

static int8_t* copy_bytes(int8_t* to, const int8_t* from, int32_t count) {
  for (; count > 0; count -= 16, from += 16) {
    const mve_pred16_t bytes = vctp8q((uint32_t)count);
    vstrbq_p_s8(to, vldrbq_z_s8(from, bytes), bytes);
    to += count < 16 ? count : 16;
  }
  return to;
}

/* What an output pixel reads, in the order of its weights; returns the end. */
static int8_t* gather(const patchnas_kernel* kernel, const patchnas_window* input,
                      int8_t zero_point, patchnas_taps rows, int32_t col, int8_t* to) {
  const patchnas_taps cols = patchnas_col_taps(kernel, col);
  const int32_t channels = input->channels;
  const int32_t run = kernel->width * channels;
  const int32_t begin = cols.begin * channels;
  const int32_t end = cols.end * channels;
  const int8_t* from = patchnas_pixel(input, rows.origin + rows.begin, cols.origin + cols.begin);
  to = fill_bytes(to, rows.begin * run, zero_point);
  for (int32_t y = rows.begin; y < rows.end; ++y, from += input->width * channels) {
    to = fill_bytes(to, begin, zero_point);
    to = copy_bytes(to, from, end - begin);
    to = fill_bytes(to, run - end, zero_point);
  }
  return fill_bytes(to, (kernel->height - rows.end) * run, zero_point);
}

/* Few terms in short runs: they are gathered, for as many pixels as there is room for. */
static void convolve_gathered_row(const patchnas_kernel* kernel, const patchnas_weights* weights,
                                  const patchnas_window* input, const patchnas_window* output,
                                  int32_t row, int32_t col_begin, int32_t col_end) {
  const patchnas_taps rows = patchnas_row_taps(kernel, row);
  const int32_t terms = kernel->height * kernel->width * input->channels;
  const int32_t most = kGatheredBytes / terms;
  int8_t gathered[kGatheredBytes];
  for (int32_t col = col_begin; col < col_end; col += most) {
    const int32_t count = col_end - col < most ? col_end - col : most;
    int8_t* to = gathered;
    for (int32_t i = 0; i < count; ++i) {
      to = gather(kernel, input, (int8_t)weights->input_zero_point, rows, col + i, to);
    }
    const patchnas_mve_pixels pixels = {gathered, terms, count, 0, terms, 1, 0, terms, 0, 1};
    patchnas_mve_multiply(weights, &pixels, patchnas_pixel(output, row, col), output->channels);
  }
}

static void convolve_row(const patchnas_kernel* kernel, const patchnas_weights* weights,
                         const patchnas_window* input, const patchnas_window* output, int32_t row,
                         int32_t col_begin, int32_t col_end) {
  const int32_t channels = input->channels;
  const patchnas_taps rows = patchnas_row_taps(kernel, row);
  for (int32_t col = col_begin; col < col_end;) {
    const patchnas_taps cols = patchnas_col_taps(kernel, col);
    /* As many pixels as read no column outside the image; at the border one. */
    int32_t count = 1;
    if (cols.begin == 0 && cols.end == kernel->width) {
      while (col + count < col_end && patchnas_col_taps(kernel, col + count).end == kernel->width) {
        ++count;
      }
    }
    const patchnas_mve_pixels pixels = {
        patchnas_pixel(input, rows.origin + rows.begin, cols.origin + cols.begin),
        kernel->stride_w * channels,
        count,
        input->width * channels,
        kernel->width * channels,
        kernel->height,
        cols.begin * channels,
        cols.end * channels,
        rows.begin,
        rows.end};
    patchnas_mve_multiply(weights, &pixels, patchnas_pixel(output, row, col), output->channels);
    col += count;
  }
}

void patchnas_convolve(const patchnas_kernel* kernel, const patchnas_weights* weights,
                       const patchnas_window* input, const patchnas_window* output,
                       patchnas_rect computed) {
  const int32_t run = kernel->width * input->channels;
  const int gathers =
      kernel->height > 1 && run % 16 != 0 && kernel->height * run <= kMostGatheredTerms;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    (gathers ? convolve_gathered_row : convolve_row)(kernel, weights, input, output, row,
                                                     computed.col_begin, computed.col_end);
  }
  patchnas_mve_clamp(weights->clamp_min, weights->clamp_max, output, computed);
}

#elif defined(PATCHNAS_DSP)
#include "runtime/dsp_matrix.h"

void patchnas_convolve(const patchnas_kernel* kernel, const patchnas_weights* weights,
                       const patchnas_window* input, const patchnas_window* output,
                       patchnas_rect computed) {
  const int32_t channels = input->channels;
  patchnas_dsp_columns c;
  c.run = kernel->width * channels;
  c.runs = kernel->height;
  c.run_pitch = input->width * channels;
  const patchnas_dsp_exact exact =
      patchnas_dsp_which_exact(weights, output->channels, c.run * c.runs);
  int j = 0; /* columns of the next four, from whatever rows */
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      const patchnas_taps rows = patchnas_row_taps(kernel, row);
      const patchnas_taps cols = patchnas_col_taps(kernel, col);
      patchnas_dsp_column* const column = &c.columns[j];
      column->corner = patchnas_pixel(input, rows.origin, cols.origin);
      column->begin = cols.begin * channels;
      column->end = cols.end * channels;
      column->runs_begin = rows.begin;
      column->runs_end = rows.end;
      column->out = patchnas_pixel(output, row, col);
      if (++j == 4) {
        patchnas_dsp_multiply(weights, &c, output->channels, exact);
        j = 0;
      }
    }
  }
  patchnas_dsp_multiply_rest(weights, &c, j, output->channels, exact);
  patchnas_dsp_clamp(weights->clamp_min, weights->clamp_max, output, computed);
}

#else
#include "runtime/arithmetic.h"

/* sum + zero_point * the sum of `count` weights. */
static uint32_t padded(uint32_t sum, const int8_t* weights, int32_t count, int32_t zero_point) {
  for (int32_t i = 0; i < count; ++i) {
    sum += patchnas_product(weights[i], zero_point);
  }
  return sum;
}

void patchnas_convolve(const patchnas_kernel* kernel, const patchnas_weights* weights,
                       const patchnas_window* input, const patchnas_window* output,
                       patchnas_rect computed) {
  const int32_t channels = input->channels;
  const int32_t row_weights = kernel->width * channels;
  const int32_t zero_point = weights->input_zero_point;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    const patchnas_taps rows = patchnas_row_taps(kernel, row);
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      const patchnas_taps cols = patchnas_col_taps(kernel, col);
      const int32_t begin = cols.begin * channels; /* a row's taps lie side by side */
      const int32_t end = cols.end * channels;
      const int8_t* taps = weights->weights;
      int8_t* const out = patchnas_pixel(output, row, col);
      for (int32_t o = 0; o < output->channels; ++o) {
        uint32_t sum = (uint32_t)weights->biases[o];
        for (int32_t y = 0; y < kernel->height; ++y, taps += row_weights) {
          if (y < rows.begin || y >= rows.end) {
            sum = padded(sum, taps, row_weights, zero_point);
            continue;
          }
          const int8_t* const values =
              patchnas_pixel(input, rows.origin + y, cols.origin + cols.begin);
          sum = padded(sum, taps, begin, zero_point);
          sum = patchnas_dot(sum, taps + begin, values, end - begin);
          sum = padded(sum, taps + end, row_weights - end, zero_point);
        }
        out[o] = patchnas_finish(weights, o, sum);
      }
    }
  }
}
#endif
