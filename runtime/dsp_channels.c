#include "runtime/simd.h"

#if defined(PATCHNAS_DSP) && !defined(PATCHNAS_MVE)
#include "runtime/dsp_channels.h"

/* What one pixel reads of one channel: `rows` x `cols` values inside the image, and where the first
 * one's weight is. */
typedef struct channel_window {
  const int8_t* values;
  const int8_t* weights;
  int32_t rows, cols, row_pitch, col_pitch;
  int32_t zero_point;       /* which taps outside are, so that these add nothing */
  int32_t taps;             /* from the weights of one output to those of the next */
  int32_t next_row_weights; /* from the end of a row's weights inside to the next row's */
} channel_window;

typedef struct sums {
  uint32_t s0, s1, s2, s3;
} sums;

/* Not inlined, as the next one, so that what the loops need stays in registers. */
static __attribute__((noinline)) uint32_t sum_of_output(uint32_t sum, const channel_window* c) {
  const int32_t pitch = c->col_pitch;
  const int32_t zero_point = c->zero_point;
  const int8_t* row = c->values;
  const int8_t* weights = c->weights;
  for (int32_t y = c->rows; y > 0; --y, row += c->row_pitch, weights += c->next_row_weights) {
    if (c->cols == 3) {
      sum +=
          (uint32_t)(weights[0] * (row[0] - zero_point) + weights[1] * (row[pitch] - zero_point) +
                     weights[2] * (row[2 * pitch] - zero_point));
      weights += 3;
      continue;
    }
    const int8_t* value = row;
    for (const int8_t* const end = weights + c->cols; weights < end; value += pitch) {
      sum += (uint32_t)(*weights++ * (*value - zero_point));
    }
  }
  return sum;
}

static __attribute__((noinline)) void add_to_four(sums* four, const channel_window* c) {
  const int32_t pitch = c->col_pitch;
  const int32_t zero_point = c->zero_point;
  const int32_t taps = c->taps;
  const int8_t* row = c->values;
  const int8_t* weights = c->weights;
  sums s = *four;
  for (int32_t y = c->rows; y > 0; --y, row += c->row_pitch, weights += c->next_row_weights) {
    const int8_t* value = row;
    for (const int8_t* const end = weights + c->cols; weights < end; value += pitch) {
      const int32_t v = *value - zero_point;
      s.s1 += (uint32_t)(weights[taps] * v);
      s.s2 += (uint32_t)(weights[2 * taps] * v);
      s.s3 += (uint32_t)(weights[3 * taps] * v);
      s.s0 += (uint32_t)(*weights++ * v);
    }
  }
  *four = s;
}

/* One or four outputs of one channel, and their scales where these are exact. */
typedef struct channel_outputs {
  int32_t first, count;
  patchnas_dsp_scale scales[4];
  int are_exact;
} channel_outputs;

static void store(const patchnas_weights* w, const channel_outputs* o, sums s, int8_t* out) {
  out += o->first;
  if (!o->are_exact) {
    out[0] = patchnas_finish(w, o->first, s.s0);
    if (o->count == 4) {
      out[1] = patchnas_finish(w, o->first + 1, s.s1);
      out[2] = patchnas_finish(w, o->first + 2, s.s2);
      out[3] = patchnas_finish(w, o->first + 3, s.s3);
    }
    return;
  }
  out[0] = patchnas_dsp_finish(o->scales[0], (int32_t)(2 * s.s0));
  if (o->count == 4) {
    out[1] = patchnas_dsp_finish(o->scales[1], (int32_t)(2 * s.s1));
    out[2] = patchnas_dsp_finish(o->scales[2], (int32_t)(2 * s.s2));
    out[3] = patchnas_dsp_finish(o->scales[3], (int32_t)(2 * s.s3));
  }
}

/* The bias without the zero point. */
static uint32_t unfolded_bias(const patchnas_weights* w, int32_t output, int32_t taps) {
  const int8_t* const weights = w->weights + output * taps;
  int32_t sum = 0;
  for (int32_t i = 0; i < taps; ++i) {
    sum += weights[i];
  }
  return (uint32_t)w->biases[output] + (uint32_t)(w->input_zero_point * sum);
}

static void convolve_outputs(const patchnas_groups* groups, const patchnas_weights* weights,
                             const patchnas_window* input, const patchnas_window* output,
                             patchnas_rect computed, int32_t channel, const channel_outputs* o) {
  const patchnas_kernel* const k = &groups->kernel;
  const int32_t last_inside = k->input_width - 1 - (k->width - 1) * groups->dilation_w;
  uint32_t biases[4];
  channel_window c;
  c.row_pitch = groups->dilation_h * input->width * input->channels;
  c.col_pitch = groups->dilation_w * input->channels;
  c.zero_point = weights->input_zero_point;
  c.taps = k->height * k->width;
  for (int32_t i = 0; i < 4; ++i) {
    biases[i] = i < o->count ? unfolded_bias(weights, o->first + i, c.taps) : 0;
  }
  const sums begin = {biases[0], biases[1], biases[2], biases[3]};
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    const patchnas_taps rows = patchnas_groups_row_taps(groups, row);
    int32_t origin = computed.col_begin * k->stride_w - k->pad_left;
    const int8_t* corner =
        patchnas_pixel(input, rows.origin, origin) + channel + rows.begin * c.row_pitch;
    const int8_t* const of_row = weights->weights + o->first * c.taps + rows.begin * k->width;
    int8_t* out = patchnas_pixel(output, row, computed.col_begin);
    c.rows = rows.end - rows.begin;
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      patchnas_taps cols = {origin, 0, k->width};
      if (origin < 0 || origin > last_inside) {
        cols = patchnas_groups_col_taps(groups, col);
      }
      c.values = corner + cols.begin * c.col_pitch;
      c.weights = of_row + cols.begin;
      c.cols = cols.end - cols.begin;
      c.next_row_weights = k->width - c.cols;
      sums s = begin;
      if (o->count == 4) {
        add_to_four(&s, &c);
      } else {
        s.s0 = sum_of_output(s.s0, &c);
      }
      store(weights, o, s, out);
      out += output->channels;
      origin += k->stride_w;
      corner += k->stride_w * input->channels;
    }
  }
}

void patchnas_dsp_convolve_channels(const patchnas_groups* groups, const patchnas_weights* weights,
                                    const patchnas_window* input, const patchnas_window* output,
                                    patchnas_rect computed) {
  const int32_t outputs = output->channels / groups->groups;
  const int32_t taps = groups->kernel.height * groups->kernel.width;
  for (int32_t channel = 0; channel < groups->groups; ++channel) {
    const int32_t end = (channel + 1) * outputs;
    channel_outputs o;
    for (o.first = channel * outputs; o.first < end; o.first += o.count) {
      o.count = end - o.first < 4 ? 1 : 4;
      o.are_exact = taps <= PATCHNAS_DSP_MOST_TERMS &&
                    patchnas_dsp_are_exact(weights, o.first, o.first + o.count);
      for (int32_t i = 0; i < o.count; ++i) {
        o.scales[i] = patchnas_dsp_scale_of(weights, o.first + i);
      }
      convolve_outputs(groups, weights, input, output, computed, channel, &o);
    }
  }
}
#else
typedef int patchnas_dsp_channels_is_empty; /* ISO C wants a declaration in every file */
#endif
