#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve.h"
#include "runtime/mve_transposed.h"
#elif defined(PATCHNAS_DSP)
#include "runtime/dsp_transposed.h"
#else
#include "runtime/arithmetic.h"
#endif

#if defined(PATCHNAS_MVE) || defined(PATCHNAS_DSP)
static int32_t taps_of(int32_t first, int32_t size, int32_t stride) {
  return first < size ? (size - first + stride - 1) / stride : 0;
}

/* The first position of a phase from `begin` on. */
static int32_t first_of(int32_t phase, int32_t begin, int32_t pad, int32_t stride) {
  const int32_t behind = (begin + pad - phase) % stride;
  return behind <= 0 ? begin - behind : begin + stride - behind;
}

/* All phases that have a position, each from its first tap on. */
void patchnas_convolve_transposed(const patchnas_kernel* kernel, const patchnas_weights* weights,
                                  const patchnas_window* input, const patchnas_window* output,
                                  patchnas_rect computed) {
  const patchnas_kernel* const k = kernel;
  const int32_t inputs = input->channels;
  patchnas_phase p = {.kernel = kernel,
                      .weights = weights,
                      .input = input,
                      .output = output,
                      .computed = computed,
                      .row_pitch = k->stride_h * k->width * inputs,
                      .col_pitch = k->stride_w * inputs,
                      .channel_pitch = k->height * k->width * inputs};
  for (int32_t row = 0; row < k->stride_h; ++row) {
    p.computed.row_begin = first_of(row, computed.row_begin, k->pad_top, k->stride_h);
    p.rows = taps_of(row, k->height, k->stride_h);
    for (int32_t col = 0; col < k->stride_w && p.computed.row_begin < computed.row_end; ++col) {
      p.computed.col_begin = first_of(col, computed.col_begin, k->pad_left, k->stride_w);
      if (p.computed.col_begin >= computed.col_end) {
        continue;
      }
      p.cols = taps_of(col, k->width, k->stride_w);
      p.first_weights = (row * k->width + col) * inputs;
#if defined(PATCHNAS_MVE)
      patchnas_mve_convolve_phase(&p);
#else
      patchnas_dsp_convolve_phase(&p);
#endif
    }
  }
#if defined(PATCHNAS_MVE)
  patchnas_mve_clamp(weights->clamp_min, weights->clamp_max, output, output->channels, computed);
#else
  patchnas_dsp_clamp(weights->clamp_min, weights->clamp_max, output, output->channels, computed);
#endif
}

#else
static uint32_t add_tap(uint32_t sum, const int8_t* weights, const int8_t* values,
                        int32_t zero_point, int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    sum += patchnas_product(weights[i], values[i] - zero_point);
  }
  return sum;
}

/* One value of the output: of every stride-th tap, from the first that hits it on. */
static uint32_t sum_at(const patchnas_kernel* k, uint32_t sum, const int8_t* weights,
                       int32_t zero_point, const patchnas_window* input, int32_t row, int32_t col) {
  const int32_t channels = input->channels;
  int32_t y = (row + k->pad_top) / k->stride_h;
  for (int32_t i = (row + k->pad_top) % k->stride_h; i < k->height; i += k->stride_h, --y) {
    int32_t x = (col + k->pad_left) / k->stride_w;
    for (int32_t j = (col + k->pad_left) % k->stride_w; j < k->width; j += k->stride_w, --x) {
      if (y >= 0 && y < k->input_height && x >= 0 && x < k->input_width) {
        sum = add_tap(sum, weights + (i * k->width + j) * channels, patchnas_pixel(input, y, x),
                      zero_point, channels);
      }
    }
  }
  return sum;
}

void patchnas_convolve_transposed(const patchnas_kernel* kernel, const patchnas_weights* weights,
                                  const patchnas_window* input, const patchnas_window* output,
                                  patchnas_rect computed) {
  const int32_t per_channel = kernel->height * kernel->width * input->channels;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      int8_t* const out = patchnas_pixel(output, row, col);
      for (int32_t o = 0; o < output->channels; ++o) {
        const uint32_t sum =
            sum_at(kernel, (uint32_t)weights->biases[o], weights->weights + o * per_channel,
                   weights->input_zero_point, input, row, col);
        out[o] = patchnas_finish(weights, o, sum);
      }
    }
  }
}
#endif
