#include "tests/runtime/run_kernel_cases.h"

#include "runtime/patchnas_runtime.h"

enum {
  kConvolve,
  kPointwise,
  kDepthwise,
  kDepthwiseInPlace,
  kAdd,
  kAveragePool,
  kMaxPool,
  kFullyConnected,
  kSoftmax,
  kMean
};
enum { kBufferBytes = 1 << 16, kGuardBytes = 8, kGuard = 0x5e };

static int8_t input_buffers[2][kBufferBytes], output_buffer[kBufferBytes],
    scratch_buffer[kBufferBytes];

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

static int all(const int8_t* bytes, int32_t count, int8_t value) {
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

/* 1 if one call writes what is expected and nothing else. */
static int run_case(reader* r, int32_t kind, int32_t number) {
  /* Buffers begin at any alignment. */
  int8_t* const out_data = output_buffer + kGuardBytes + (number / 4) % 4;
  int8_t* const in_data = kind == kDepthwiseInPlace ? out_data : input_buffers[0] + number % 4;
  int8_t* const second = input_buffers[1] + (number / 2) % 4;
  int8_t* const scratch = scratch_buffer + kGuardBytes + (number / 3) % 4;
  patchnas_kernel k;
  int32_t* const fields = &k.height;
  for (int i = 0; i < 8; ++i) {
    fields[i] = word(r);
  }
  const patchnas_window in = window(r, in_data);
  patchnas_window b = in;
  b.data = second;
  const patchnas_window out = window(r, out_data);
  patchnas_rect computed;
  computed.row_begin = word(r);
  computed.row_end = word(r);
  computed.col_begin = word(r);
  computed.col_end = word(r);
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

  fill(output_buffer, kBufferBytes, kGuard);
  fill(scratch_buffer, kBufferBytes, kGuard);
  copy(in_data, input, input_bytes);
  copy(second, second_input, input_bytes);
  int32_t written = output_bytes;
  int32_t scratch_bytes = 0;
  switch (kind) {
    case kConvolve:
      patchnas_convolve(&k, &w, &in, &out, computed);
      break;
    case kPointwise:
      patchnas_pointwise(&w, &in, &out, computed);
      break;
    case kDepthwise:
      patchnas_depthwise(&k, &w, &in, &out, computed);
      break;
    case kDepthwiseInPlace:
      scratch_bytes = patchnas_depthwise_scratch_bytes(computed.row_end - computed.row_begin,
                                                       computed.col_end - computed.col_begin,
                                                       k.height, k.width, k.stride_h, k.stride_w);
      patchnas_depthwise_in_place(&k, &w, &in, &out, computed, scratch);
      written = input_bytes > written ? input_bytes : written;
      break;
    case kAdd:
      patchnas_add(&scales, &in, &b, &out, computed);
      break;
    case kAveragePool:
      patchnas_average_pool(&k, w.clamp_min, w.clamp_max, &in, &out, computed);
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
      break;
    }
    default: /* kSoftmax: its three numbers stand in the fields of an add */
      patchnas_softmax(scales.multipliers[0], scales.shifts[0], scales.multipliers[1], in_data,
                       out_data, input_bytes / in.channels, in.channels);
  }
  int good = equal(out_data, expected, output_bytes);
  good &= all(output_buffer, (int32_t)(out_data - output_buffer), kGuard);
  good &= all(out_data + written, kGuardBytes, kGuard);
  good &= all(scratch_buffer, (int32_t)(scratch - scratch_buffer), kGuard);
  good &= all(scratch + scratch_bytes, kGuardBytes, kGuard);
  const int32_t pixels =
      (computed.row_end - computed.row_begin) * (computed.col_end - computed.col_begin);
  if (kind == kAdd && output_bytes == pixels * out.channels) { /* over its second input */
    patchnas_add(&scales, &in, &b, &b, computed);
    good &= equal(second, out_data, output_bytes);
  }
  return good;
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
