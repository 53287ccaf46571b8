#include "runtime/simd.h"

#if defined(PATCHNAS_MVE)
#include "runtime/mve_dot.h"
#include "runtime/mve_matrix.h"
#include "runtime/mve_taps.h"
#elif defined(PATCHNAS_DSP)
#include "runtime/dsp_channels.h"
#include "runtime/dsp_matrix.h"
#else
#include "runtime/arithmetic.h"
#endif

#if defined(PATCHNAS_MVE)
/* Room for what several pixels read, at least three, or for what one does. */
enum { kGatheredBytes = 448, kMostTogether = kGatheredBytes / 3, kMostAlone = 912 };

/* The weights of one group, and where its input and output begin in a pixel. */
typedef struct group {
  patchnas_weights weights;
  int32_t inputs, outputs, first_input, first_output;
} group;

/* The taps of a row, `count` > 0 of them. */
static void gather_row(const int8_t* from, int32_t from_pitch, int32_t bytes, int32_t count,
                       int8_t* to) {
  if (bytes <= 16) {
    patchnas_mve_copy_pieces(to, bytes, from, from_pitch, bytes, count);
    return;
  }
  for (; count > 0; --count, from += from_pitch, to += bytes) {
    patchnas_mve_copy(to, from, bytes);
  }
}

/* What `count` pixels of a row read of the group, in the order of its weights. */
static void gather(const patchnas_groups* g, const group* part, const patchnas_window* input,
                   patchnas_taps rows, int32_t col, int32_t count, int8_t* to) {
  const patchnas_kernel* const k = &g->kernel;
  const int32_t run = k->width * part->inputs;
  const int32_t row_pitch = g->dilation_h * input->width * input->channels;
  const int32_t col_pitch = g->dilation_w * input->channels;
  const int32_t last_origin = k->input_width - 1 - (k->width - 1) * g->dilation_w;
  int32_t origin = col * k->stride_w - k->pad_left;
  const int8_t* corner = patchnas_pixel(input, rows.origin, origin) + part->first_input;
  for (; count > 0; --count, origin += k->stride_w, to += k->height * run) {
    patchnas_taps cols = {origin, 0, k->width};
    if (origin < 0 || origin > last_origin) {
      cols = patchnas_taps_apart(origin, k->width, g->dilation_w, k->input_width);
    }
    if (cols.end - cols.begin < k->width || rows.end - rows.begin < k->height) {
      patchnas_mve_fill(to, k->height * run, (int8_t)part->weights.input_zero_point);
    }
    const int8_t* row = corner + rows.begin * row_pitch + cols.begin * col_pitch;
    int8_t* to_row = to + rows.begin * run + cols.begin * part->inputs;
    for (int32_t y = cols.end > cols.begin ? rows.end - rows.begin : 0; y > 0; --y) {
      gather_row(row, col_pitch, part->inputs, cols.end - cols.begin, to_row);
      row += row_pitch;
      to_row += run;
    }
    corner += k->stride_w * input->channels;
  }
}

/* Not inlined, as the next ones, for the sake of the stack of the others. */
static __attribute__((noinline)) void convolve_gathered(const patchnas_groups* g, const group* part,
                                                        const patchnas_window* input,
                                                        const patchnas_window* output,
                                                        patchnas_rect computed) {
  const int32_t terms = g->kernel.height * g->kernel.width * part->inputs;
  const int32_t most = kGatheredBytes / terms;
  int8_t gathered[kGatheredBytes];
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    for (int32_t col = computed.col_begin; col < computed.col_end; col += most) {
      const int32_t count = computed.col_end - col < most ? computed.col_end - col : most;
      gather(g, part, input, patchnas_groups_row_taps(g, row), col, count, gathered);
      const patchnas_mve_pixels pixels = {
          .values = gathered,
          .out = patchnas_pixel(output, row, col) + part->first_output,
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
      patchnas_mve_multiply(&part->weights, &pixels, part->outputs);
    }
  }
}

/* Windows of one tap, which is inside the image. */
static __attribute__((noinline)) void convolve_one_tap(const patchnas_groups* g, const group* part,
                                                       const patchnas_window* input,
                                                       const patchnas_window* output,
                                                       patchnas_rect computed) {
  const patchnas_kernel* const k = &g->kernel;
  const int32_t terms = part->inputs;
  const patchnas_mve_pixels pixels = {
      .values = patchnas_pixel(input, computed.row_begin * k->stride_h,
                               computed.col_begin * k->stride_w) +
                part->first_input,
      .out = patchnas_pixel(output, computed.row_begin, computed.col_begin) + part->first_output,
      .count = computed.col_end - computed.col_begin,
      .pitch = k->stride_w * input->channels,
      .out_pitch = output->channels,
      .lines = computed.row_end - computed.row_begin,
      .line_pitch = k->stride_h * input->width * input->channels,
      .out_line_pitch = output->width * output->channels,
      .run_pitch = 0,
      .run_terms = terms,
      .runs = 1,
      .begin = 0,
      .end = terms,
      .runs_begin = 0,
      .runs_end = 1,
      .weights_run_pitch = terms,
      .weights_pitch = terms};
  patchnas_mve_multiply(&part->weights, &pixels, part->outputs);
}

static __attribute__((noinline)) void convolve_pixels(const patchnas_groups* g, const group* part,
                                                      const patchnas_window* input,
                                                      const patchnas_window* output,
                                                      patchnas_rect computed) {
  const int32_t terms = g->kernel.height * g->kernel.width * part->inputs;
  int8_t gathered[kMostAlone];
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    const patchnas_taps rows = patchnas_groups_row_taps(g, row);
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      gather(g, part, input, rows, col, 1, gathered);
      patchnas_mve_multiply_pixel(&part->weights, gathered, terms,
                                  patchnas_pixel(output, row, col) + part->first_output,
                                  part->outputs);
    }
  }
}

/* Windows for which there is no room. */
static __attribute__((noinline)) void convolve_taps(const patchnas_groups* g, const group* part,
                                                    const patchnas_window* input,
                                                    const patchnas_window* output,
                                                    patchnas_rect computed) {
  const patchnas_kernel* const k = &g->kernel;
  const patchnas_mve_taps taps = {
      .rows = k->height,
      .cols = k->width,
      .terms = part->inputs,
      .values_row_pitch = g->dilation_h * input->width * input->channels,
      .values_col_pitch = g->dilation_w * input->channels,
      .weights_row_pitch = k->width * part->inputs,
      .weights_col_pitch = part->inputs,
      .weights_pitch = k->height * k->width * part->inputs};
  for (int32_t channel = 0; channel < part->outputs; channel += 4) {
    patchnas_mve_channels channels;
    patchnas_mve_begin_channels(&channels, &part->weights, &taps, channel, part->outputs,
                                kPatchnasFolded);
    for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
      const patchnas_taps rows = patchnas_groups_row_taps(g, row);
      for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
        const patchnas_taps cols = patchnas_groups_col_taps(g, col);
        patchnas_mve_convolve_taps(
            &part->weights, &taps, &channels, rows, cols,
            patchnas_pixel(input, rows.origin, cols.origin) + part->first_input,
            patchnas_pixel(output, row, col) + part->first_output + channel);
      }
    }
  }
}

void patchnas_convolve_groups(const patchnas_groups* groups, const patchnas_weights* weights,
                              const patchnas_window* input, const patchnas_window* output,
                              patchnas_rect computed) {
  group part = {*weights, input->channels / groups->groups, output->channels / groups->groups, 0,
                0};
  const int32_t terms = groups->kernel.height * groups->kernel.width * part.inputs;
  for (int32_t i = 0; i < groups->groups; ++i) {
    if (terms == part.inputs && groups->kernel.pad_top == 0 && groups->kernel.pad_left == 0) {
      convolve_one_tap(groups, &part, input, output, computed);
    } else if (terms <= kMostTogether) {
      convolve_gathered(groups, &part, input, output, computed);
    } else if (terms <= kMostAlone) {
      convolve_pixels(groups, &part, input, output, computed);
    } else {
      convolve_taps(groups, &part, input, output, computed);
    }
    part.weights.weights += part.outputs * terms;
    part.weights.biases += part.outputs;
    part.weights.multipliers += part.outputs;
    part.weights.shifts += part.outputs;
    part.first_input += part.inputs;
    part.first_output += part.outputs;
  }
  patchnas_mve_clamp(weights->clamp_min, weights->clamp_max, output, output->channels, computed);
}

#elif defined(PATCHNAS_DSP)
/* All groups of four pixels, of which `used` are to be computed. Inlined, for the sake of the
 * stack. */
PATCHNAS_ALWAYS_INLINE void multiply_groups(const patchnas_weights* weights,
                                            patchnas_dsp_columns* c, int used, int32_t groups,
                                            int32_t outputs, patchnas_dsp_exact exact) {
  patchnas_weights part = *weights;
  for (int32_t group = 0; group < groups; ++group) {
    patchnas_dsp_multiply_pieces(&part, c, used, outputs, exact);
    part.weights += outputs * c->run * c->runs;
    part.biases += outputs;
    part.multipliers += outputs;
    part.shifts += outputs;
    for (int j = 0; j < used; ++j) {
      c->columns[j].corner += c->piece;
      c->columns[j].out += outputs;
    }
  }
}

/* Not inlined, as the next one, for the sake of the stack of others. */
static __attribute__((noinline)) void set_column(const patchnas_groups* groups,
                                                 const patchnas_window* input, patchnas_taps rows,
                                                 int32_t col, patchnas_dsp_column* column) {
  const int32_t inputs = input->channels / groups->groups;
  const patchnas_taps cols = patchnas_groups_col_taps(groups, col);
  column->corner = patchnas_pixel(input, rows.origin, cols.origin);
  column->begin = cols.begin * inputs;
  column->end = cols.end * inputs;
  column->runs_begin = rows.begin;
  column->runs_end = rows.end;
}

static __attribute__((noinline)) void convolve_matrix(const patchnas_groups* groups,
                                                      const patchnas_weights* weights,
                                                      const patchnas_window* input,
                                                      const patchnas_window* output,
                                                      patchnas_rect computed) {
  const patchnas_kernel* const k = &groups->kernel;
  const int32_t inputs = input->channels / groups->groups; /* of one group */
  const int32_t outputs = output->channels / groups->groups;
  patchnas_dsp_columns c;
  c.run = k->width * inputs;
  c.runs = k->height;
  c.run_pitch = groups->dilation_h * input->width * input->channels;
  c.piece = inputs;
  c.piece_pitch = groups->dilation_w * input->channels;
  const patchnas_dsp_exact exact =
      patchnas_dsp_which_exact(weights, output->channels, c.run * c.runs);
  int j = 0; /* columns of the next four, from whatever rows */
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    const patchnas_taps rows = patchnas_groups_row_taps(groups, row);
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      set_column(groups, input, rows, col, &c.columns[j]);
      c.columns[j].out = patchnas_pixel(output, row, col);
      const int is_last = row == computed.row_end - 1 && col == computed.col_end - 1;
      if (++j == 4 || is_last) {
        multiply_groups(weights, &c, j, groups->groups, outputs, exact);
        j = 0;
      }
    }
  }
}

void patchnas_convolve_groups(const patchnas_groups* groups, const patchnas_weights* weights,
                              const patchnas_window* input, const patchnas_window* output,
                              patchnas_rect computed) {
  if (input->channels == groups->groups) {
    patchnas_dsp_convolve_channels(groups, weights, input, output, computed);
  } else {
    convolve_matrix(groups, weights, input, output, computed);
  }
  patchnas_dsp_clamp(weights->clamp_min, weights->clamp_max, output, output->channels, computed);
}

#else
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
#endif
