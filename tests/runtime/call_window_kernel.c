#include "tests/runtime/kernel_call.h"

static int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }

/* The pixels of a rectangle, in parts whose sizes follow from `number`: their values, or where
 * there are weights their products for so many outputs. */
static void sum_in_parts(int32_t* sums, const patchnas_weights* weights, int32_t outputs,
                         const patchnas_window* in, patchnas_rect all, int32_t number) {
  const int32_t most_rows = number % 5 == 0 ? 100 : 1 + number % 4;
  const int32_t most_cols = number % 7 == 0 ? 3 : number % 7 == 1 ? 1 : 1000;
  for (int32_t row = all.row_begin; row < all.row_end; row += most_rows) {
    for (int32_t col = all.col_begin; col < all.col_end; col += most_cols) {
      const patchnas_rect part = {row, least(row + most_rows, all.row_end), col,
                                  least(col + most_cols, all.col_end)};
      if (weights != 0) {
        patchnas_sum_products(weights, all.row_end, all.col_end, sums, outputs, in, part);
      } else {
        patchnas_sum_pixels(sums, in, part);
      }
    }
  }
}

/* 1 if sums of parts are finished to what is expected of one output pixel. `scale` is null for
 * averages. */
static int finishes_sums(const patchnas_kernel* k, const patchnas_mean_scale* scale,
                         const patchnas_weights* w, const patchnas_window* in, int32_t row,
                         int32_t col, const int8_t* expected, int32_t number) {
  enum { kMost = 64 };
  static int32_t sums[kMost + 2];
  static int8_t output[kMost + 2 * kGuardBytes];
  const int32_t channels = in->channels;
  const int32_t top = row * k->stride_h - k->pad_top;
  const int32_t left = col * k->stride_w - k->pad_left;
  const patchnas_rect all = {top < 0 ? 0 : top, least(top + k->height, k->input_height),
                             left < 0 ? 0 : left, least(left + k->width, k->input_width)};
  const int32_t count = (all.row_end - all.row_begin) * (all.col_end - all.col_begin);
  int8_t* const out = output + kGuardBytes;
  if (channels > kMost) {
    return 0;
  }
  for (int32_t c = -1; c <= channels; ++c) {
    sums[c + 1] = c < 0 || c == channels ? kGuard : 0;
  }
  fill_bytes(output, (int32_t)sizeof output, kGuard);
  sum_in_parts(sums + 1, 0, channels, in, all, number);
  if (scale) {
    patchnas_mean_of_sums(scale, sums + 1, count, out, channels);
  } else {
    patchnas_average_of_sums(sums + 1, count, w->clamp_min, w->clamp_max, out, channels);
  }
  return equal_bytes(out, expected, channels) && sums[0] == kGuard &&
         sums[channels + 1] == kGuard && all_are(output, kGuardBytes, kGuard) &&
         all_are(out + channels, kGuardBytes, kGuard);
}

/* The same for all output pixels. */
static int finishes_all_sums(const patchnas_kernel* k, const patchnas_mean_scale* scale,
                             const patchnas_weights* w, const patchnas_window* in,
                             const patchnas_window* out, patchnas_rect computed, int32_t number) {
  for (int32_t row = computed.row_begin; row < computed.row_end; ++row) {
    for (int32_t col = computed.col_begin; col < computed.col_end; ++col) {
      const int8_t* const expected =
          out->data + ((row - out->row) * out->width + col - out->col) * out->channels;
      if (!finishes_sums(k, scale, w, in, row, col, expected, number + row + col)) {
        return 0;
      }
    }
  }
  return 1;
}

/* 1 if a fully connected layer adds up to what it computed at once. Its input is taken for a map of
 * as many pixels as it can be. */
static int connects_in_parts(const patchnas_weights* w, int8_t* input, int32_t input_bytes,
                             const int8_t* expected, int32_t outputs, int32_t number) {
  enum { kMost = 128 };
  static int32_t sums[kMost + 2];
  static int8_t output[kMost + 2 * kGuardBytes];
  const int32_t height = input_bytes % 2 == 0 ? 2 : 1;
  const int32_t width = input_bytes / height % 3 == 0 ? 3 : 1;
  const patchnas_window in = {input, 0, 0, width, input_bytes / height / width};
  const patchnas_rect all = {0, height, 0, width};
  int8_t* const out = output + kGuardBytes;
  if (outputs > kMost) {
    return 0;
  }
  for (int32_t o = -1; o <= outputs; ++o) {
    sums[o + 1] = o < 0 || o == outputs ? kGuard : 0;
  }
  fill_bytes(output, (int32_t)sizeof output, kGuard);
  sum_in_parts(sums + 1, w, outputs, &in, all, number);
  patchnas_connected_of_sums(w, sums + 1, out, outputs);
  return equal_bytes(out, expected, outputs) && sums[0] == kGuard && sums[outputs + 1] == kGuard &&
         all_are(output, kGuardBytes, kGuard) && all_are(out + outputs, kGuardBytes, kGuard);
}

int call_window_kernel(const kernel_call* c, int32_t input_bytes, int32_t output_bytes,
                       int8_t* scratch, int32_t number) {
  const patchnas_weights* const w = &c->weights;
  const patchnas_mean_scale mean_scale = {w->input_zero_point, c->scales.multipliers[0],
                                          c->scales.shifts[0], w->output_zero_point};
  patchnas_window part = c->out; /* from the first channel on that is written */
  if (c->kind == kConvolve || c->kind == kPointwise) {
    part.data += c->numbers[0];
  }
  switch (c->kind) {
    case kConvolve:
      patchnas_convolve(&c->kernel, w, &c->in, &part, c->computed);
      return 1;
    case kConvolveGroups: {
      const patchnas_groups groups = {c->kernel, c->numbers[0], c->numbers[1], c->numbers[2]};
      patchnas_convolve_groups(&groups, w, &c->in, &c->out, c->computed);
      return 1;
    }
    case kConvolveTransposed:
      patchnas_convolve_transposed(&c->kernel, w, &c->in, &c->out, c->computed);
      return 1;
    case kPointwise:
      patchnas_pointwise(w, &c->in, &part, c->computed);
      return 1;
    case kDepthwise:
      patchnas_depthwise(&c->kernel, w, &c->in, &c->out, c->computed, scratch);
      return 1;
    case kAdd:
      patchnas_add(&c->scales, &c->in, &c->second, &c->out, c->computed);
      return 1;
    case kAveragePool:
      patchnas_average_pool(&c->kernel, w->clamp_min, w->clamp_max, &c->in, &c->out, c->computed);
      return finishes_all_sums(&c->kernel, 0, w, &c->in, &c->out, c->computed, number);
    case kMaxPool:
      patchnas_max_pool(&c->kernel, w->clamp_min, w->clamp_max, &c->in, &c->out, c->computed);
      return 1;
    case kFullyConnected:
      patchnas_fully_connected(w, c->in.data, input_bytes, c->out.data, output_bytes);
      return connects_in_parts(w, c->in.data, input_bytes, c->out.data, output_bytes, number);
    case kMean:
      patchnas_mean(&c->kernel, &mean_scale, &c->in, &c->out, c->computed);
      return finishes_all_sums(&c->kernel, &mean_scale, w, &c->in, &c->out, c->computed, number);
    default: /* kSoftmax */
      patchnas_softmax(c->scales.multipliers[0], c->scales.shifts[0], c->scales.multipliers[1],
                       c->in.data, c->out.data, input_bytes / c->in.channels, c->in.channels);
      return 1;
  }
}
