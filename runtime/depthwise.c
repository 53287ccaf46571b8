#include "runtime/arithmetic.h"

void patchnas_depthwise(const patchnas_kernel* kernel, const patchnas_weights* weights,
                        const patchnas_window* input, const patchnas_window* output,
                        patchnas_rect computed) {
  const int32_t channels = input->channels;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    const patchnas_taps rows = patchnas_row_taps(kernel, row);
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      const patchnas_taps cols = patchnas_col_taps(kernel, col);
      int8_t* const out = patchnas_pixel(output, row, col);
      for (int32_t c = 0; c < channels; ++c) {
        int32_t sum = 0;
        for (int32_t y = rows.begin; y < rows.end; ++y) {
          for (int32_t x = cols.begin; x < cols.end; ++x) {
            sum += weights->weights[(y * kernel->width + x) * channels + c] *
                   (patchnas_pixel(input, rows.origin + y, cols.origin + x)[c] -
                    weights->input_zero_point);
          }
        }
        out[c] = patchnas_finish(weights, c, sum);
      }
    }
  }
}

int32_t patchnas_depthwise_scratch_bytes(patchnas_rect read) {
  return (read.row_end - read.row_begin) * (read.col_end - read.col_begin);
}

/* Output pixel i of channel c overwrites input pixel i of channel c only, which is in the scratch
 * by then. */
void patchnas_depthwise_in_place(const patchnas_kernel* kernel, const patchnas_weights* weights,
                                 const patchnas_window* input, patchnas_rect read,
                                 const patchnas_window* output, patchnas_rect computed,
                                 int8_t* scratch) {
  const int32_t channels = input->channels;
  const patchnas_window plane = {scratch, read.row_begin, read.col_begin,
                                 read.col_end - read.col_begin, 1};
  for (int32_t c = 0; c < channels; ++c) {
    for (int32_t row = read.row_begin; row < read.row_end; ++row) {
      for (int32_t col = read.col_begin; col < read.col_end; ++col) {
        *patchnas_pixel(&plane, row, col) = patchnas_pixel(input, row, col)[c];
      }
    }
    for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
      const patchnas_taps rows = patchnas_row_taps(kernel, row);
      for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
        const patchnas_taps cols = patchnas_col_taps(kernel, col);
        int32_t sum = 0;
        for (int32_t y = rows.begin; y < rows.end; ++y) {
          for (int32_t x = cols.begin; x < cols.end; ++x) {
            sum += weights->weights[(y * kernel->width + x) * channels + c] *
                   (*patchnas_pixel(&plane, rows.origin + y, cols.origin + x) -
                    weights->input_zero_point);
          }
        }
        patchnas_pixel(output, row, col)[c] = patchnas_finish(weights, c, sum);
      }
    }
  }
}
