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

#else

#if defined(PATCHNAS_DSP)
#include "runtime/dsp_matrix.h"
#else
#include "runtime/arithmetic.h"
#endif

/* sum + zero_point * the sum of `count` weights. */
static uint32_t padded(uint32_t sum, const int8_t* weights, int32_t count, int32_t zero_point) {
  for (int32_t i = 0; i < count; ++i) {
    sum += (uint32_t)(weights[i] * zero_point);
  }
  return sum;
}

static void portable(const patchnas_kernel* kernel, const patchnas_weights* weights,
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

#if defined(PATCHNAS_DSP)
static int8_t* fill_bytes(int8_t* to, int32_t count, int8_t value) {
  for (int32_t i = 0; i < count; ++i) {
    *to++ = value;
  }
  return to;
}

static int8_t* copy_bytes(int8_t* to, const int8_t* from, int32_t count) {
  for (; count >= 4; count -= 4, to += 4, from += 4) {
    ((patchnas_unaligned_word*)to)->value = patchnas_load_word(from);
  }
  for (; count > 0; --count) {
    *to++ = *from++;
  }
  return to;
}

/* What an output pixel reads, in the order of its weights. */
static void gather_column(const patchnas_kernel* kernel, const patchnas_window* input,
                          int8_t zero_point, int32_t row, int32_t col, int8_t* column) {
  const patchnas_taps rows = patchnas_row_taps(kernel, row);
  const patchnas_taps cols = patchnas_col_taps(kernel, col);
  const int32_t channels = input->channels;
  const int32_t run = kernel->width * channels;
  const int32_t begin = cols.begin * channels;
  const int32_t end = cols.end * channels;
  const int8_t* from = patchnas_pixel(input, rows.origin + rows.begin, cols.origin + cols.begin);
  column = fill_bytes(column, rows.begin * run, zero_point);
  for (int32_t y = rows.begin; y < rows.end; ++y, from += input->width * channels) {
    column = fill_bytes(column, begin, zero_point);
    column = copy_bytes(column, from, end - begin);
    column = fill_bytes(column, run - end, zero_point);
  }
  fill_bytes(column, (kernel->height - rows.end) * run, zero_point);
}

/* Few terms: columns are gathered and widened, four at a time. */
static void convolve_row_of_columns(const patchnas_kernel* kernel, const patchnas_weights* weights,
                                    const patchnas_window* input, const patchnas_window* output,
                                    int32_t row, int32_t col_begin, int32_t col_end,
                                    patchnas_dsp_exact exact) {
  const int32_t terms = kernel->height * kernel->width * input->channels;
  patchnas_dsp_columns columns;
  int8_t column[PATCHNAS_DSP_COLUMN_TERMS];
  for (int32_t done = col_begin; done < col_end; done += 4) {
    /* The last four overlap those before them. */
    const int32_t first = col_end - done >= 4 || col_end - col_begin < 4 ? done : col_end - 4;
    for (int32_t i = 0; i < 4; ++i) {
      const int32_t col = first + i < col_end ? first + i : col_end - 1;
      gather_column(kernel, input, (int8_t)weights->input_zero_point, row, col, column);
      patchnas_dsp_set_column(&columns, i, column, terms);
    }
    patchnas_dsp_multiply_columns(weights, &columns, terms, patchnas_pixel(output, row, first),
                                  output->channels, col_end - col_begin, output->channels, exact);
  }
}

/* A pixel whose window leaves the image to the left or right. */
static void convolve_border_pixel(const patchnas_kernel* kernel, const patchnas_weights* weights,
                                  const patchnas_window* input, const patchnas_window* output,
                                  int32_t row, int32_t col) {
  const patchnas_taps rows = patchnas_row_taps(kernel, row);
  const patchnas_taps cols = patchnas_col_taps(kernel, col);
  const int32_t run = kernel->width * input->channels;
  const int32_t begin = cols.begin * input->channels;
  const int32_t end = cols.end * input->channels;
  const int32_t zero_point = weights->input_zero_point;
  const int8_t* const first =
      patchnas_pixel(input, rows.origin + rows.begin, cols.origin + cols.begin);
  const int8_t* taps = weights->weights;
  int8_t* const out = patchnas_pixel(output, row, col);
  for (int32_t o = 0; o < output->channels; ++o) {
    const int8_t* values = first;
    int32_t sum = weights->biases[o];
    for (int32_t y = 0; y < kernel->height; ++y, taps += run) {
      if (y < rows.begin || y >= rows.end) {
        sum = patchnas_dsp_dot_constant(sum, taps, zero_point, run);
        continue;
      }
      sum = patchnas_dsp_dot_constant(sum, taps, zero_point, begin);
      sum = patchnas_dsp_dot(sum, taps + begin, values, end - begin);
      sum = patchnas_dsp_dot_constant(sum, taps + end, zero_point, run - end);
      values += input->width * input->channels;
    }
    out[o] = patchnas_dsp_is_exact(weights, o)
                 ? patchnas_dsp_finish(patchnas_dsp_scale_of(weights, o), 2 * sum)
                 : patchnas_finish(weights, o, (uint32_t)sum);
  }
}

/* Many terms: pairs of pixels that read no column outside the image, other pixels alone. */
static void convolve_row_of_pairs(const patchnas_kernel* kernel, const patchnas_weights* weights,
                                  const patchnas_window* input, const patchnas_window* output,
                                  int32_t row, int32_t col_begin, int32_t col_end,
                                  patchnas_dsp_exact exact) {
  const int32_t channels = input->channels;
  const patchnas_taps rows = patchnas_row_taps(kernel, row);
  for (int32_t col = col_begin; col < col_end;) {
    const patchnas_taps left = patchnas_col_taps(kernel, col);
    const patchnas_taps right = patchnas_col_taps(kernel, col + 1);
    if (left.begin > 0 || col + 1 == col_end || right.end < kernel->width) {
      convolve_border_pixel(kernel, weights, input, output, row, col);
      ++col;
      continue;
    }
    const patchnas_dsp_pair_of_columns pair = {
        patchnas_pixel(input, rows.origin + rows.begin, left.origin),
        kernel->stride_w * channels,
        input->width * channels,
        kernel->width * channels,
        kernel->height,
        rows.begin,
        rows.end};
    patchnas_dsp_multiply_pair(weights, &pair, patchnas_pixel(output, row, col), output->channels,
                               output->channels, exact);
    col += 2;
  }
}

void patchnas_convolve(const patchnas_kernel* kernel, const patchnas_weights* weights,
                       const patchnas_window* input, const patchnas_window* output,
                       patchnas_rect computed) {
  const int32_t terms = kernel->height * kernel->width * input->channels;
  if (terms > PATCHNAS_DSP_MOST_TERMS) {
    portable(kernel, weights, input, output, computed);
    return;
  }
  const patchnas_dsp_exact exact =
      patchnas_dsp_are_exact(weights, 0, output->channels) ? kPatchnasAllExact : kPatchnasSomeExact;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    (terms > PATCHNAS_DSP_COLUMN_TERMS ? convolve_row_of_pairs : convolve_row_of_columns)(
        kernel, weights, input, output, row, computed.col_begin, computed.col_end, exact);
  }
  patchnas_dsp_clamp(weights->clamp_min, weights->clamp_max, output, computed);
}
#else
void patchnas_convolve(const patchnas_kernel* kernel, const patchnas_weights* weights,
                       const patchnas_window* input, const patchnas_window* output,
                       patchnas_rect computed) {
  portable(kernel, weights, input, output, computed);
}
#endif
#endif
