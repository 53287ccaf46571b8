#include "runtime/arithmetic.h"

void patchnas_fully_connected(const patchnas_weights* weights, const int8_t* input,
                              int32_t input_count, int8_t* output, int32_t output_count) {
  for (int32_t o = 0; o < output_count; ++o) {
    const uint32_t sum = patchnas_dot((uint32_t)weights->biases[o],
                                      weights->weights + o * input_count, input, input_count);
    output[o] = patchnas_finish(weights, o, sum);
  }
}
