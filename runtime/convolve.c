#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve_matrix.h"

enum { kGatheredBytes = 256, kMostGatheredTerms = 64 };

static int equal_taps(patchnas_taps a, patchnas_taps b) {
  return a.begin == b.begin && a.end == b.end;
}

/* How many of the rows from `row` on have the same taps inside the image. */
static int32_t count_rows(const patchnas_kernel* k, int32_t row, int32_t row_end) {
  const patchnas_taps taps = patchnas_row_taps(k, row);
  int32_t count = 1;
  while (row + count < row_end && equal_taps(taps, patchnas_row_taps(k, row + count))) {
    ++count;
  }
  return count;
}

static int32_t count_cols(const patchnas_kernel* k, int32_t col, int32_t col_end) {
  const patchnas_taps taps = patchnas_col_taps(k, col);
  int32_t count = 1;
  while (col + count < col_end && equal_taps(taps, patchnas_col_taps(k, col + count))) {
    ++count;
  }
  return count;
}

/* What `count` output pixels read, in the order of their weights. Runs are of at most 16 bytes. */
static void gather(const patchnas_kernel* kernel, const patchnas_window* input, patchnas_taps rows,
                   int32_t col, int32_t count, int32_t terms, int8_t* to) {
  const int32_t channels = input->channels;
  const int32_t run = kernel->width * channels;
  for (int32_t done = 0; done < count;) {
    const patchnas_taps cols = patchnas_col_taps(kernel, col + done);
    const int32_t alike = count_cols(kernel, col + done, col + count);
    const int8_t* from = patchnas_pixel(input, rows.origin + rows.begin, cols.origin + cols.begin);
    int8_t* piece = to + done * terms + rows.begin * run + cols.begin * channels;
    for (int32_t y = rows.begin; y < rows.end; ++y, from += input->width * channels, piece += run) {
      patchnas_mve_copy_pieces(piece, terms, from, kernel->stride_w * channels,
                               (cols.end - cols.begin) * channels, alike);
    }
    done += alike;
  }
}

/* Few terms in short runs: they are gathered, for as many pixels as there is room for. */
static __attribute__((noinline)) void convolve_gathered_row(
    const patchnas_kernel* kernel, const patchnas_weights* weights, const patchnas_window* input,
    const patchnas_window* output, int32_t row, int32_t col_begin, int32_t col_end) {
  const patchnas_taps rows = patchnas_row_taps(kernel, row);
  const int32_t terms = kernel->height * kernel->width * input->channels;
  const int32_t most = kGatheredBytes / terms;
  int8_t gathered[kGatheredBytes];
  for (int32_t col = col_begin; col < col_end; col += most) {
    const int32_t count = col_end - col < most ? col_end - col : most;
    patchnas_mve_fill(gathered, count * terms, (int8_t)weights->input_zero_point);
    gather(kernel, input, rows, col, count, terms, gathered);
    const patchnas_mve_pixels pixels = {.values = gathered,
                                        .out = patchnas_pixel(output, row, col),
                                        .count = count,
                                        .pitch = terms,
                                        .out_pitch = output->channels,
                                        .lines = 1,
                                        .line_pitch = 0,
                                        .out_line_pitch = 0,
                                        .run_pitch = 0,
                                        .run_terms = terms,
                                        .runs = 1,
                                        .begin = 0,
                                        .end = terms,
                                        .runs_begin = 0,
                                        .runs_end = 1,
                                        .weights_run_pitch = terms,
                                        .weights_pitch = terms};
    patchnas_mve_multiply(weights, &pixels, weights->outputs);
  }
}

/* Pixels that have the same taps inside the image. */
static void convolve_alike(const patchnas_kernel* kernel, const patchnas_weights* weights,
                           const patchnas_window* input, const patchnas_window* output,
                           patchnas_rect alike) {
  const int32_t channels = input->channels;
  const patchnas_taps rows = patchnas_row_taps(kernel, alike.row_begin);
  const patchnas_taps cols = patchnas_col_taps(kernel, alike.col_begin);
  patchnas_mve_pixels p = {
      .values = patchnas_pixel(input, rows.origin + rows.begin, cols.origin + cols.begin),
      .out = patchnas_pixel(output, alike.row_begin, alike.col_begin),
      .count = alike.col_end - alike.col_begin,
      .pitch = kernel->stride_w * channels,
      .out_pitch = output->channels,
      .lines = alike.row_end - alike.row_begin,
      .line_pitch = kernel->stride_h * input->width * channels,
      .out_line_pitch = output->width * output->channels,
      .run_pitch = input->width * channels,
      .run_terms = kernel->width * channels,
      .runs = kernel->height,
      .begin = cols.begin * channels,
      .end = cols.end * channels,
      .runs_begin = rows.begin,
      .runs_end = rows.end,
      .weights_run_pitch = kernel->width * channels,
      .weights_pitch = kernel->height * kernel->width * channels};
  if (p.count < p.lines) { /* long lines have fewer ends */
    const patchnas_mve_pixels columns = p;
    p.count = columns.lines;
    p.pitch = columns.line_pitch;
    p.out_pitch = columns.out_line_pitch;
    p.lines = columns.count;
    p.line_pitch = columns.pitch;
    p.out_line_pitch = columns.out_pitch;
  }
  patchnas_mve_multiply(weights, &p, weights->outputs);
}

/* Not inlined, for the sake of the stack of the other. */
static __attribute__((noinline)) void convolve_direct(const patchnas_kernel* kernel,
                                                      const patchnas_weights* weights,
                                                      const patchnas_window* input,
                                                      const patchnas_window* output,
                                                      patchnas_rect computed) {
  for (int32_t row = computed.row_begin; row < computed.row_end;) {
    const int32_t row_end = row + count_rows(kernel, row, computed.row_end);
    for (int32_t col = computed.col_begin; col < computed.col_end;) {
      const int32_t col_end = col + count_cols(kernel, col, computed.col_end);
      const patchnas_rect alike = {row, row_end, col, col_end};
      convolve_alike(kernel, weights, input, output, alike);
      col = col_end;
    }
    row = row_end;
  }
}

void patchnas_convolve(const patchnas_kernel* kernel, const patchnas_weights* weights,
                       const patchnas_window* input, const patchnas_window* output,
                       patchnas_rect computed) {
  const int32_t run = kernel->width * input->channels;
  if (kernel->height > 1 && run < 16 && kernel->height * run <= kMostGatheredTerms) {
    for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
      convolve_gathered_row(kernel, weights, input, output, row, computed.col_begin,
                            computed.col_end);
    }
  } else {
    convolve_direct(kernel, weights, input, output, computed);
  }
  patchnas_mve_clamp(weights->clamp_min, weights->clamp_max, output, weights->outputs, computed);
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
      patchnas_dsp_which_exact(weights, weights->outputs, c.run * c.runs);
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
        patchnas_dsp_multiply(weights, &c, weights->outputs, exact);
        j = 0;
      }
    }
  }
  patchnas_dsp_multiply_rest(weights, &c, j, weights->outputs, exact);
  patchnas_dsp_clamp(weights->clamp_min, weights->clamp_max, output, weights->outputs, computed);
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
      for (int32_t o = 0; o < weights->outputs; ++o) {
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
