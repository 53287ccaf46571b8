#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve_matrix.h"

/* Pixels of a line are computed channel by channel, all of them where the output lies apart. */
static void multiply_lines(const patchnas_weights* weights, patchnas_mve_pixels* pixels) {
  const int8_t* line_values = pixels->values;
  int8_t* line_out = pixels->out;
  const int32_t lines = pixels->lines;
  const int32_t count = pixels->count;
  const int32_t outputs = weights->outputs;
  const int32_t out_pitch = pixels->out_pitch;
  const int8_t* const in_end =
      line_values + (lines - 1) * pixels->line_pitch + count * pixels->pitch;
  const int8_t* const out_end =
      line_out + (lines - 1) * pixels->out_line_pitch + (count - 1) * out_pitch + outputs;
  if ((uintptr_t)line_out >= (uintptr_t)in_end || (uintptr_t)line_values >= (uintptr_t)out_end) {
    patchnas_mve_multiply(weights, pixels, outputs);
    return;
  }
  pixels->lines = 1;
  for (int32_t line = 0; line < lines; ++line) {
    pixels->values = line_values;
    pixels->out = line_out;
    for (int32_t left = count; left > 0; left -= pixels->count) {
      /* As many as there is room for in front of the first one's input. */
      const int32_t room =
          (int32_t)((uintptr_t)pixels->values - (uintptr_t)pixels->out) / out_pitch;
      const int32_t most = room > PATCHNAS_POINTWISE_GROUP ? room : PATCHNAS_POINTWISE_GROUP;
      pixels->count = left < most ? left : most;
      patchnas_mve_multiply(weights, pixels, outputs);
      pixels->values += pixels->count * pixels->pitch;
      pixels->out += pixels->count * out_pitch;
    }
    line_values += pixels->line_pitch;
    line_out += pixels->out_line_pitch;
  }
}

void patchnas_pointwise(const patchnas_weights* weights, const patchnas_window* input,
                        const patchnas_window* output, patchnas_rect computed) {
  const int32_t channels = input->channels;
  const int32_t rows = computed.row_end - computed.row_begin;
  const int32_t cols = computed.col_end - computed.col_begin;
  const int side_by_side = cols == input->width && cols == output->width;
  patchnas_mve_pixels pixels = {
      .values = patchnas_pixel(input, computed.row_begin, computed.col_begin),
      .out = patchnas_pixel(output, computed.row_begin, computed.col_begin),
      .count = side_by_side ? rows * cols : cols,
      .pitch = channels,
      .out_pitch = output->channels,
      .lines = side_by_side ? 1 : rows,
      .line_pitch = input->width * channels,
      .out_line_pitch = output->width * output->channels,
      .run_pitch = 0,
      .run_terms = channels,
      .runs = 1,
      .begin = 0,
      .end = channels,
      .runs_begin = 0,
      .runs_end = 1,
      .weights_run_pitch = channels,
      .weights_pitch = channels};
  multiply_lines(weights, &pixels);
  patchnas_mve_clamp(weights->clamp_min, weights->clamp_max, output, weights->outputs, computed);
}

#elif defined(PATCHNAS_DSP)
#include "runtime/dsp_matrix.h"

void patchnas_pointwise(const patchnas_weights* weights, const patchnas_window* input,
                        const patchnas_window* output, patchnas_rect computed) {
  const int32_t channels = input->channels;
  const patchnas_dsp_exact exact = patchnas_dsp_which_exact(weights, weights->outputs, channels);
  patchnas_dsp_columns c;
  c.run = channels;
  c.runs = 1;
  c.run_pitch = 0;
  for (int j = 0; j < 4; ++j) {
    c.columns[j].begin = 0;
    c.columns[j].end = channels;
    c.columns[j].runs_begin = 0;
    c.columns[j].runs_end = 1;
  }
  int j = 0; /* columns of the next four, from whatever rows */
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    const int8_t* in = patchnas_pixel(input, row, computed.col_begin);
    int8_t* out = patchnas_pixel(output, row, computed.col_begin);
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      c.columns[j].corner = in;
      c.columns[j].out = out;
      in += channels;
      out += output->channels;
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

void patchnas_pointwise(const patchnas_weights* weights, const patchnas_window* input,
                        const patchnas_window* output, patchnas_rect computed) {
  const int32_t channels = input->channels;
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      const int8_t* const in = patchnas_pixel(input, row, col);
      int8_t* const out = patchnas_pixel(output, row, col);
      for (int32_t o = 0; o < weights->outputs; ++o) {
        const uint32_t sum = patchnas_dot((uint32_t)weights->biases[o],
                                          weights->weights + o * channels, in, channels);
        out[o] = patchnas_finish(weights, o, sum);
      }
    }
  }
}
#endif
