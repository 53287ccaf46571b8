#include "runtime/arithmetic.h"

/* The products of one tap of one group: outside the image of the zero point. */
static uint32_t add_tap(uint32_t sum, const int8_t* weights, const int8_t* values,
                        int32_t zero_point, int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    sum += patchnas_product(weights[i], values != 0 ? values[i] : zero_point);
  }
  return sum;
}

void patchnas_convolve_groups(const patchnas_groups* groups, const patchnas_weights* weights,
                              const patchnas_window* input, const patchnas_window* output,
                              patchnas_rect computed) {
  const patchnas_kernel* const k = &groups->kernel;
  const int32_t inputs = input->channels / groups->groups; /* of one group */
  const int32_t outputs = output->channels / groups->groups;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      const int8_t* tap = weights->weights;
      int8_t* const out = patchnas_pixel(output, row, col);
      for (int32_t o = 0; o < output->channels; ++o) {
        const int32_t first = o / outputs * inputs;
        uint32_t sum = (uint32_t)weights->biases[o];
        int32_t y = row * k->stride_h - k->pad_top;
        for (int32_t i = 0; i < k->height; ++i, y += groups->dilation_h) {
          int32_t x = col * k->stride_w - k->pad_left;
          for (int32_t j = 0; j < k->width; ++j, x += groups->dilation_w, tap += inputs) {
            const int inside = y >= 0 && y < k->input_height && x >= 0 && x < k->input_width;
            sum = add_tap(sum, tap, inside ? patchnas_pixel(input, y, x) + first : 0,
                          weights->input_zero_point, inputs);
          }
        }
        out[o] = patchnas_finish(weights, o, sum);
      }
    }
  }
}
