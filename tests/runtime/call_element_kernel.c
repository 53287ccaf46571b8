#include "tests/runtime/kernel_call.h"

static void combine(const kernel_call* c) {
  const int is_constant = c->numbers[1];
  const patchnas_combination combination = {c->numbers[0], is_constant ? c->weights.weights : 0,
                                            c->scales};
  patchnas_combine(&combination, &c->in, is_constant ? 0 : &c->second, &c->out, c->computed);
}

static void lookup(const kernel_call* c) {
  patchnas_lookup((const patchnas_table*)c->weights.weights, &c->in, &c->out, c->computed);
}

static void resize(const kernel_call* c) {
  enum { kMost = 64 };
  static patchnas_sample samples[kMost];
  const int32_t rows = c->numbers[0];
  for (int32_t i = 0; i < kMost && i < rows + c->computed.col_end; ++i) {
    const int32_t* const sample = c->numbers + 1 + 3 * i;
    samples[i].first = (int16_t)sample[0];
    samples[i].second = (int16_t)sample[1];
    samples[i].part = (int16_t)sample[2];
  }
  const patchnas_resizing resizing = {samples, samples + rows};
  patchnas_resize(&resizing, &c->in, &c->out, c->computed);
}

static void copy_channels(const kernel_call* c) {
  const int32_t* const n = c->numbers;
  patchnas_copy_channels(n[0], n[1], n[2], n[3], &c->in, n[4] ? &c->second : 0, &c->out,
                         c->computed);
}

static void copy(const kernel_call* c) {
  const int32_t* const n = c->numbers;
  const patchnas_copy_shape shape = {
      {n[0], n[1], n[2]}, {n[3], n[4], n[5]}, {n[6], n[7], n[8]}, n[9], n[10], n[11], n[12]};
  patchnas_copy(&shape, c->in.data, n[13] ? c->second.data : 0, c->out.data);
}

static void pad(const kernel_call* c) {
  const patchnas_kernel* const k = &c->kernel;
  const patchnas_margins margins = {k->pad_top, k->pad_left, k->input_height, k->input_width,
                                    c->numbers[0]};
  patchnas_pad(&margins, &c->in, &c->out, c->computed);
}

int call_element_kernel(const kernel_call* call) {
  switch (call->kind) {
    case kCombine:
      combine(call);
      return 1;
    case kLookup:
      lookup(call);
      return 1;
    case kResize:
      resize(call);
      return 1;
    case kCopyChannels:
      copy_channels(call);
      return 1;
    case kCopy:
      copy(call);
      return 1;
    case kPad:
      pad(call);
      return 1;
    default:
      return 0;
  }
}
