#include "tests/runtime/run_kernel_cases.h"

#include "tests/runtime/kernel_call.h"

enum { kBufferBytes = 1 << 17 };

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
  fill_bytes(output_buffer, kBufferBytes, kGuard);
  copy_bytes(in.data, input->data, input_bytes);
  copy_bytes(scratch_buffer, output_buffer, kBufferBytes);
  patchnas_pointwise(w, &in, &out, rect);
  for (int32_t i = 0; i < pixels; ++i) { /* all else is as it was */
    const int8_t* const answer = expected->data + offset_of(expected, rect, i);
    copy_bytes(scratch_buffer + (out.data - output_buffer) + offset_of(&out, rect, i), answer,
               channels);
  }
  return equal_bytes(output_buffer, scratch_buffer, kBufferBytes);
}

/* 1 if two windows hold the same rectangle, of so many bytes. */
static int holds_the_same(const patchnas_window* a, const patchnas_window* b, int32_t a_bytes,
                          int32_t b_bytes) {
  return a->row == b->row && a->col == b->col && a->width == b->width && a_bytes == b_bytes;
}

/* 1 if a kernel that may write over its second input, or over what a copy leaves, gives the same
 * there. */
static int computes_over_second(const kernel_call* call, int32_t second_bytes,
                                int32_t output_bytes) {
  const int has_second = call->kind == kAdd || (call->kind == kCombine && !call->numbers[1]) ||
                         (call->kind == kCopyChannels && call->numbers[4]) ||
                         (call->kind == kCopy && call->numbers[13]);
  if (!has_second || !holds_the_same(&call->second, &call->out, second_bytes, output_bytes)) {
    return 1;
  }
  kernel_call over = *call;
  over.out.data = call->second.data;
  if (!call_element_kernel(&over)) {
    patchnas_add(&over.scales, &over.in, &over.second, &over.out, over.computed);
  }
  const patchnas_rect rect = over.computed;
  const int32_t pixels =
      call->kind == kCopy ? 0 : (rect.row_end - rect.row_begin) * (rect.col_end - rect.col_begin);
  for (int32_t i = 0; i < pixels; ++i) {
    const int32_t at = offset_of(&call->out, rect, i);
    if (!equal_bytes(over.out.data + at, call->out.data + at, call->out.channels)) {
      return 0;
    }
  }
  return call->kind != kCopy || equal_bytes(over.out.data, call->out.data, output_bytes);
}

/* 1 if a kernel whose output may be the same window as its input gives the same there. */
static int computes_over_first(const kernel_call* call, int32_t input_bytes, int32_t output_bytes) {
  if ((call->kind != kCombine && call->kind != kLookup) ||
      !holds_the_same(&call->in, &call->out, input_bytes, output_bytes)) {
    return 1;
  }
  kernel_call over = *call;
  over.in.data = answers;
  over.out.data = answers;
  copy_bytes(answers, call->in.data, input_bytes);
  call_element_kernel(&over);
  const patchnas_rect rect = over.computed;
  for (int32_t i = 0; i < (rect.row_end - rect.row_begin) * (rect.col_end - rect.col_begin); ++i) {
    const int32_t at = offset_of(&call->out, rect, i);
    if (!equal_bytes(answers + at, call->out.data + at, call->out.channels)) {
      return 0;
    }
  }
  return 1;
}

/* Reads what a call is told; where it writes, the caller says. */
static kernel_call read_call(reader* r, int32_t kind, int8_t* input, int8_t* second,
                             int32_t* placement) {
  kernel_call c;
  c.kind = kind;
  int32_t* const fields = &c.kernel.height;
  for (int i = 0; i < 8; ++i) {
    fields[i] = word(r);
  }
  c.in = window(r, input);
  c.second = window(r, second);
  c.out = window(r, 0);
  c.computed.row_begin = word(r);
  c.computed.row_end = word(r);
  c.computed.col_begin = word(r);
  c.computed.col_end = word(r);
  *placement = word(r);
  int32_t* const scale_fields = &c.scales.zero_points[0];
  for (int i = 0; i < 11; ++i) {
    scale_fields[i] = word(r);
  }
  const int32_t numbers = word(r);
  c.numbers = array(r, numbers * 4);
  return c;
}

static patchnas_weights read_weights(reader* r, const patchnas_add_scales* scales,
                                     int32_t weight_bytes, int32_t channels) {
  patchnas_weights w;
  w.weights = array(r, weight_bytes);
  w.biases = array(r, channels * 4);
  w.multipliers = array(r, channels * 4);
  w.shifts = array(r, channels);
  w.input_zero_point = scales->zero_points[0];
  w.output_zero_point = scales->output_zero_point;
  w.clamp_min = scales->clamp_min;
  w.clamp_max = scales->clamp_max;
  w.outputs = channels;
  return w;
}

/* 1 if one call writes what is expected and nothing else. */
static int run_case(reader* r, int32_t kind, int32_t number) {
  /* Buffers begin at any alignment. */
  int8_t* const out_data = output_buffer + kGuardBytes + (number / 4) % 4;
  int8_t* const second = input_buffers[1] + (number / 2) % 4;
  int8_t* const scratch = scratch_buffer + kGuardBytes + (number / 3) % 4;
  int32_t placement;
  kernel_call c = read_call(r, kind, input_buffers[0] + number % 4, second, &placement);
  const int32_t input_bytes = word(r);
  const int32_t second_bytes = word(r);
  const int32_t output_bytes = word(r);
  const int32_t weight_bytes = word(r);
  const int32_t channels = word(r);
  const int8_t* const input = array(r, input_bytes);
  const int8_t* const second_input = array(r, second_bytes);
  c.weights = read_weights(r, &c.scales, weight_bytes, channels);
  const int8_t* const expected = array(r, output_bytes);
  c.out.data = out_data;
  int32_t scratch_bytes = 0;
  if (kind == kDepthwise) {
    scratch_bytes = patchnas_depthwise_scratch_bytes(
        c.computed.row_end - c.computed.row_begin, c.computed.col_end - c.computed.col_begin,
        c.kernel.height, c.kernel.width, c.kernel.stride_h, c.kernel.stride_w);
    place(placement, c.in.channels, input_bytes, output_bytes, out_data, &c.in.data, &c.out.data);
  }
  fill_bytes(output_buffer, kBufferBytes, kGuard);
  fill_bytes(scratch_buffer, kBufferBytes, kGuard);
  copy_bytes(c.in.data, input, input_bytes);
  copy_bytes(second, second_input, second_bytes);
  int good =
      call_element_kernel(&c) || call_window_kernel(&c, input_bytes, output_bytes, scratch, number);
  good &= equal_bytes(c.out.data, expected, output_bytes);
  if (kind == kDepthwise) {
    good &= only_output_is_new(c.in.data, input, input_bytes, c.out.data, output_bytes);
  } else {
    good &= all_are(output_buffer, (int32_t)(out_data - output_buffer), kGuard);
    good &= all_are(out_data + output_bytes, kGuardBytes, kGuard);
    good &= equal_bytes(c.in.data, input, input_bytes) &&
            equal_bytes(second, second_input, second_bytes);
  }
  good &= all_are(scratch_buffer, (int32_t)(scratch - scratch_buffer), kGuard);
  good &= all_are(scratch + scratch_bytes, kGuardBytes, kGuard);
  if (kind == kPointwise && good && c.weights.outputs == c.out.channels) {
    copy_bytes(answers, out_data, output_bytes);
    patchnas_window answered = c.out;
    answered.data = answers;
    good &= computes_over_input(&c.weights, &c.in, input_bytes, &answered, c.computed, number % 4);
  }
  good &= computes_over_first(&c, input_bytes, output_bytes);
  return good && computes_over_second(&c, second_bytes, output_bytes);
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
