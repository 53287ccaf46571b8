/* One call of a kernel as run_kernel_cases.c has read it. */
#ifndef PATCHNAS_KERNEL_CALL_H
#define PATCHNAS_KERNEL_CALL_H

#include "runtime/patchnas_runtime.h"

/* As KernelFunction (arch/operator_table.h). */
enum {
  kConvolve,
  kPointwise,
  kDepthwise,
  kAdd,
  kAveragePool,
  kMaxPool,
  kFullyConnected,
  kSoftmax,
  kMean,
  kConvolveGroups,
  kCombine,
  kLookup,
  kResize,
  kConvolveTransposed,
  kCopyChannels,
  kCopy,
  kPad
};

typedef struct kernel_call {
  int32_t kind;
  patchnas_kernel kernel;
  patchnas_window in, second, out;
  patchnas_rect computed;
  patchnas_add_scales scales;
  patchnas_weights weights;
  const int32_t* numbers; /* what only this kernel is told */
} kernel_call;

/* 1 if it calls that kernel, of what computes or moves single elements, or interpolates. */
int call_element_kernel(const kernel_call* call);

/* Calls any other: 1 if what else there is to ask of such a call is as it should be. Scales of a
 * mean stand in the fields of an add's first input, a softmax's three numbers in those of both. */
int call_window_kernel(const kernel_call* c, int32_t input_bytes, int32_t output_bytes,
                       int8_t* scratch, int32_t number);

/* Around what is written, so that nothing beside it is. */
enum { kGuardBytes = 8, kGuard = 0x5e };

static inline void copy_bytes(int8_t* to, const int8_t* from, int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    to[i] = from[i];
  }
}

static inline void fill_bytes(int8_t* to, int32_t count, int8_t value) {
  for (int32_t i = 0; i < count; ++i) {
    to[i] = value;
  }
}

static inline int equal_bytes(const int8_t* a, const int8_t* b, int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    if (a[i] != b[i]) {
      return 0;
    }
  }
  return 1;
}

static inline int all_are(const int8_t* bytes, int32_t count, int8_t value) {
  for (int32_t i = 0; i < count; ++i) {
    if (bytes[i] != value) {
      return 0;
    }
  }
  return 1;
}

#endif
