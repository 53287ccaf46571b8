#include "runtime/arithmetic.h"

void patchnas_pointwise(const patchnas_weights* weights, const patchnas_window* input,
                        const patchnas_window* output, patchnas_rect computed) {
  const int32_t channels = input->channels;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      const int8_t* const in = patchnas_pixel(input, row, col);
      int8_t* const out = patchnas_pixel(output, row, col);
      for (int32_t o = 0; o < output->channels; ++o) {
        const uint32_t sum = patchnas_dot((uint32_t)weights->biases[o],
                                          weights->weights + o * channels, in, channels);
        out[o] = patchnas_finish(weights, o, sum);
      }
    }
  }
}
