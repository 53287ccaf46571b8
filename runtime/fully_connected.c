#include "runtime/arithmetic.h"

void patchnas_fully_connected(const patchnas_weights* weights, const int8_t* input,
                              int32_t input_count, int8_t* output, int32_t output_count) {
  for (int32_t o = 0; o < output_count; ++o) {
    const int8_t* const row = weights->weights + o * input_count;
    int32_t sum = 0;
    for (int32_t i = 0; i < input_count; ++i) {
      sum += row[i] * (input[i] - weights->input_zero_point);
    }
    output[o] = patchnas_finish(weights, o, sum);
  }
}
