#include "tests/runtime/run_kernel_cases.h"

#include "runtime/patchnas_runtime.h"

enum {
  kConvolve,
  kPointwise,
  kDepthwise,
  kAdd,
  kAveragePool,
  kMaxPool,
  kFullyConnected,
  kSoftmax,
  kMean
};
enum { kBufferBytes = 1 << 17, kGuardBytes = 8, kGuard = 0x5e };

static int8_t input_buffers[2][kBufferBytes], output_buffer[kBufferBytes],
    scratch_buffer[kBufferBytes], answers[kBufferBytes];

typedef struct reader {
  const int32_t* next;
} reader;

static int32_t word(reader* r) { return *r->next++; }

/* An array of `bytes` bytes, padded to words. */
static const void* array(reader* r, int32_t bytes) {
  const void* const begin = r->next;
  r->next += (bytes + 3) / 4;
  return begin;
}

static void copy(int8_t* to, const int8_t* from, int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    to[i] = from[i];
  }
}

static void fill(int8_t* to, int32_t count, int8_t value) {
  for (int32_t i = 0; i < count; ++i) {
    to[i] = value;
  }
}

static int equal(const int8_t* a, const int8_t* b, int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    if (a[i] != b[i]) {
      return 0;
    }
  }
  return 1;
}

static int all_are(const int8_t* bytes, int32_t count, int8_t value) {
  for (int32_t i = 0; i < count; ++i) {
    if (bytes[i] != value) {
      return 0;
    }
  }
  return 1;
}

static patchnas_window window(reader* r, int8_t* data) {
  patchnas_window w = {data, 0, 0, 0, 0};
  w.row = word(r);
  w.col = word(r);
  w.width = word(r);
  w.channels = word(r);
  return w;
}

/* Where the output of a kernel that may write over its input lies: behind the input, before it, or
 * so many pixels in front. */
enum { kBehind = -2, kBefore = -1 };

/* Input and output in one buffer, which begins at `first`. */
static void place(int32_t placement, int32_t channels, int32_t input_bytes, int32_t output_bytes,
                  int8_t* first, int8_t** in, int8_t** out) {
  *in = first;
  *out = first;
  if (placement == kBehind) {
    *out += input_bytes;
  } else {
    *in += placement == kBefore ? output_bytes : placement * channels;
  }
}

/* 1 if all is as it was but the output. */
static int only_output_is_new(const int8_t* in, const int8_t* input, int32_t input_bytes,
                              const int8_t* out, int32_t output_bytes) {
  for (int32_t i = 0; i < input_bytes; ++i) {
    const int8_t* const at = in + i;
    if (*at != input[i] && (at < out || at >= out + output_bytes)) {
      return 0;
    }
  }
  const int8_t* const begin = in < out ? in : out;
  const int8_t* const in_end = in + input_bytes;
  const int8_t* const out_end = out + output_bytes;
  const int8_t* const end = in_end > out_end ? in_end : out_end;
  return all_are(output_buffer, (int32_t)(begin - output_buffer), kGuard) &&
         all_are(end, kGuardBytes, kGuard) &&
         (in < out_end || all_are(out_end, (int32_t)(in - out_end), kGuard));
}

static int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }

/* The pixels of a rectangle, in parts whose sizes follow from `number`. */
static void sum_in_parts(int32_t* sums, const patchnas_window* in, patchnas_rect all,
                         int32_t number) {
  const int32_t most_rows = number % 5 == 0 ? 100 : 1 + number % 4;
  const int32_t most_cols = number % 7 == 0 ? 3 : number % 7 == 1 ? 1 : 1000;
  for (int32_t row = all.row_begin; row < all.row_end; row += most_rows) {
    for (int32_t col = all.col_begin; col < all.col_end; col += most_cols) {
      const patchnas_rect part = {row, least(row + most_rows, all.row_end), col,
                                  least(col + most_cols, all.col_end)};
      patchnas_sum_pixels(sums, in, part);
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
  fill(output, (int32_t)sizeof output, kGuard);
  sum_in_parts(sums + 1, in, all, number);
  if (scale) {
    patchnas_mean_of_sums(scale, sums + 1, count, out, channels);
  } else {
    patchnas_average_of_sums(sums + 1, count, w->clamp_min, w->clamp_max, out, channels);
  }
  return equal(out, expected, channels) && sums[0] == kGuard && sums[channels + 1] == kGuard &&
         all_are(output, kGuardBytes, kGuard) && all_are(out + channels, kGuardBytes, kGuard);
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

/* How far pixel `i` of a rectangle, in the order of rows, is from a window's first byte. */
static int32_t offset_of(const patchnas_window* w, patchnas_rect rect, int32_t i) {
  const int32_t cols = rect.col_end - rect.col_begin;
  return ((rect.row_begin - w->row + i / cols) * w->width + rect.col_begin - w->col + i % cols) *
         w->channels;
}

/* 1 if a pointwise convolution gives the same over its input, as near to it as it may be. */
static int computes_over_input(const patchnas_weights* w, const patchnas_window* input,
                               int32_t input_bytes, const patchnas_window* expected,
                               patchnas_rect rect, int32_t alignment) {
  const int32_t channels = expected->channels;
  const int32_t pixels = (rect.row_end - rect.row_begin) * (rect.col_end - rect.col_begin);
  const int32_t gap = alignment % 2; /* pixels between rows of the output */
  patchnas_window in = *input;
  patchnas_window out = {0, rect.row_begin, rect.col_begin, rect.col_end - rect.col_begin + gap,
                         channels};
  int32_t distance = INT32_MIN; /* from the output to the input */
  for (int32_t i = 0; i < pixels; ++i) {
    const int32_t last = least(i + PATCHNAS_POINTWISE_GROUP, pixels) - 1;
    const int32_t needed = offset_of(&out, rect, last) + channels - offset_of(&in, rect, i);
    distance = needed > distance ? needed : distance;
  }
  int8_t* const begin = output_buffer + kGuardBytes + alignment;
  in.data = begin + (distance > 0 ? distance : 0);
  out.data = in.data - distance;
  fill(output_buffer, kBufferBytes, kGuard);
  copy(in.data, input->data, input_bytes);
  copy(scratch_buffer, output_buffer, kBufferBytes);
  patchnas_pointwise(w, &in, &out, rect);
  for (int32_t i = 0; i < pixels; ++i) { /* all else is as it was */
    const int8_t* const answer = expected->data + offset_of(expected, rect, i);
    copy(scratch_buffer + (out.data - output_buffer) + offset_of(&out, rect, i), answer, channels);
  }
  return equal(output_buffer, scratch_buffer, kBufferBytes);
}

/* 1 if one call writes what is expected and nothing else. */
static int run_case(reader* r, int32_t kind, int32_t number) {
  /* Buffers begin at any alignment. */
  int8_t* out_data = output_buffer + kGuardBytes + (number / 4) % 4;
  int8_t* in_data = input_buffers[0] + number % 4;
  int8_t* const second = input_buffers[1] + (number / 2) % 4;
  int8_t* const scratch = scratch_buffer + kGuardBytes + (number / 3) % 4;
  patchnas_kernel k;
  int32_t* const fields = &k.height;
  for (int i = 0; i < 8; ++i) {
    fields[i] = word(r);
  }
  patchnas_window in = window(r, in_data);
  patchnas_window b = in;
  b.data = second;
  patchnas_window out = window(r, out_data);
  patchnas_rect computed;
  computed.row_begin = word(r);
  computed.row_end = word(r);
  computed.col_begin = word(r);
  computed.col_end = word(r);
  const int32_t placement = word(r);
  patchnas_add_scales scales;
  int32_t* const scale_fields = &scales.zero_points[0];
  for (int i = 0; i < 11; ++i) {
    scale_fields[i] = word(r);
  }
  const int32_t input_bytes = word(r);
  const int32_t output_bytes = word(r);
  const int32_t weight_bytes = word(r);
  const int32_t channels = word(r);
  const int8_t* const input = array(r, input_bytes);
  const int8_t* const second_input = array(r, input_bytes);
  patchnas_weights w;
  w.weights = array(r, weight_bytes);
  w.biases = array(r, channels * 4);
  w.multipliers = array(r, channels * 4);
  w.shifts = array(r, channels);
  w.input_zero_point = scales.zero_points[0];
  w.output_zero_point = scales.output_zero_point;
  w.clamp_min = scales.clamp_min;
  w.clamp_max = scales.clamp_max;
  const int8_t* const expected = array(r, output_bytes);

  if (kind == kDepthwise) {
    place(placement, in.channels, input_bytes, output_bytes, out_data, &in_data, &out_data);
    in.data = in_data;
    out.data = out_data;
  }
  fill(output_buffer, kBufferBytes, kGuard);
  fill(scratch_buffer, kBufferBytes, kGuard);
  copy(in_data, input, input_bytes);
  copy(second, second_input, input_bytes);
  int32_t scratch_bytes = 0;
  int good = 1;
  switch (kind) {
    case kConvolve:
      patchnas_convolve(&k, &w, &in, &out, computed);
      break;
    case kPointwise:
      patchnas_pointwise(&w, &in, &out, computed);
      break;
    case kDepthwise:
      scratch_bytes = patchnas_depthwise_scratch_bytes(computed.row_end - computed.row_begin,
                                                       computed.col_end - computed.col_begin,
                                                       k.height, k.width, k.stride_h, k.stride_w);
      patchnas_depthwise(&k, &w, &in, &out, computed, scratch);
      break;
    case kAdd:
      patchnas_add(&scales, &in, &b, &out, computed);
      break;
    case kAveragePool:
      patchnas_average_pool(&k, w.clamp_min, w.clamp_max, &in, &out, computed);
      good &= finishes_all_sums(&k, 0, &w, &in, &out, computed, number);
      break;
    case kMaxPool:
      patchnas_max_pool(&k, w.clamp_min, w.clamp_max, &in, &out, computed);
      break;
    case kFullyConnected:
      patchnas_fully_connected(&w, in_data, input_bytes, out_data, output_bytes);
      break;
    case kMean: { /* its scale stands in the fields of an add's first input */
      const patchnas_mean_scale scale = {w.input_zero_point, scales.multipliers[0],
                                         scales.shifts[0], w.output_zero_point};
      patchnas_mean(&k, &scale, &in, &out, computed);
      good &= finishes_all_sums(&k, &scale, &w, &in, &out, computed, number);
      break;
    }
    default: /* kSoftmax: its three numbers stand in the fields of an add */
      patchnas_softmax(scales.multipliers[0], scales.shifts[0], scales.multipliers[1], in_data,
                       out_data, input_bytes / in.channels, in.channels);
  }
  good &= equal(out_data, expected, output_bytes);
  if (kind == kDepthwise) {
    good &= only_output_is_new(in_data, input, input_bytes, out_data, output_bytes);
  } else {
    good &= all_are(output_buffer, (int32_t)(out_data - output_buffer), kGuard);
    good &= all_are(out_data + output_bytes, kGuardBytes, kGuard);
    good &= equal(in_data, input, input_bytes);
  }
  good &= all_are(scratch_buffer, (int32_t)(scratch - scratch_buffer), kGuard);
  good &= all_are(scratch + scratch_bytes, kGuardBytes, kGuard);
  if (kind == kPointwise && good) {
    copy(answers, out_data, output_bytes);
    out.data = answers;
    good &= computes_over_input(&w, &in, input_bytes, &out, computed, number % 4);
  }
  const int32_t pixels =
      (computed.row_end - computed.row_begin) * (computed.col_end - computed.col_begin);
  if (kind == kAdd && output_bytes == pixels * out.channels) { /* over its second input */
    patchnas_add(&scales, &in, &b, &b, computed);
    good &= equal(second, out_data, output_bytes);
  }
  return good;
}

int32_t run_move_cases(void) {
  enum { kMostDistance = 70, kMostBytes = 150 };
  int32_t failed = 0;
  for (int32_t bytes = 0; bytes <= kMostBytes; bytes += bytes < 40 ? 1 : 11) {
    for (int32_t distance = 0; distance <= kMostDistance; distance += distance < 20 ? 1 : 7) {
      for (int32_t alignment = 0; alignment < 4; ++alignment) {
        int8_t* const to = output_buffer + kGuardBytes + alignment;
        for (int32_t i = 0; i < 2 * kGuardBytes + kMostBytes + kMostDistance; ++i) {
          output_buffer[i] = (int8_t)(i * 37 + (i >> 3));
          input_buffers[0][i] = output_buffer[i];
        }
        patchnas_move(to, to + distance, bytes);
        for (int32_t i = 0; i < 2 * kGuardBytes + kMostBytes + kMostDistance; ++i) {
          const int32_t moved = i - kGuardBytes - alignment;
          const int is_moved = moved >= 0 && moved < bytes;
          if (output_buffer[i] != input_buffers[0][is_moved ? i + distance : i]) {
            ++failed;
            break;
          }
        }
      }
    }
  }
  return failed;
}

kernel_case_result run_kernel_cases(const int32_t* words) {
  reader r = {words};
  kernel_case_result result = {word(&r), 0, -1, -1};
  for (int32_t i = 0; i < result.cases; ++i) {
    const int32_t kind = word(&r);
    if (!run_case(&r, kind, i)) {
      ++result.failed;
      if (result.first < 0) {
        result.first = i;
        result.first_kind = kind;
      }
    }
  }
  return result;
}
