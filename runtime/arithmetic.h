/* Fixed-point arithmetic and addressing shared by the kernels. Accumulators are unsigned: int32
 * modulo 2^32. Requantisation rounds twice, or with -DPATCHNAS_SINGLE_ROUNDING once. */
#ifndef PATCHNAS_RUNTIME_ARITHMETIC_H
#define PATCHNAS_RUNTIME_ARITHMETIC_H

#include "runtime/patchnas_runtime.h"

/* round(a * b / 2^31), ties upwards, which for int32 equals the definition's rounding of the
 * doubled high half; not for a = b = -2^31. */
static inline int32_t patchnas_doubling_high_multiply(int32_t a, int32_t b) {
  return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* round(x / 2^exponent), ties away from zero, 0 <= exponent <= 31. */
static inline int32_t patchnas_rounding_shift_right(int32_t x, int32_t exponent) {
  const int32_t mask = (int32_t)(((uint32_t)1 << exponent) - 1);
  const int32_t threshold = (mask >> 1) + (x < 0);
  return (x >> exponent) + ((x & mask) > threshold);
}

#if defined(PATCHNAS_SINGLE_ROUNDING)
/* round(x * multiplier * 2^(shift - 31)), ties upwards, at most 2^30 away from 0: beyond, where a
 * shift to the left may lead, outputs are clamped all the same. */
static inline int32_t patchnas_requantise(int32_t x, int32_t multiplier, int32_t shift) {
  const int64_t product = (int64_t)x * multiplier;
  if (shift >= 0) {
    const int64_t limit = (int64_t)1 << 30;
    const int64_t scaled = (product + (limit >> shift)) >> (31 - shift);
    return (int32_t)(scaled < -limit ? -limit : scaled > limit ? limit : scaled);
  }
  /* What is cut off in steps is cut off as at once; half of the last step rounds. */
  return (((int32_t)(product >> 31) >> ~shift) + 1) >> 1;
}
#else
static inline int32_t patchnas_requantise(int32_t x, int32_t multiplier, int32_t shift) {
  const int32_t left = shift > 0 ? shift : 0;
  const int32_t right = shift > 0 ? 0 : -shift;
  const int32_t shifted = (int32_t)((uint32_t)x << left);
  return patchnas_rounding_shift_right(patchnas_doubling_high_multiply(shifted, multiplier), right);
}
#endif

static inline int8_t patchnas_clamp(int32_t x, int32_t low, int32_t high) {
  return (int8_t)(x < low ? low : x > high ? high : x);
}

/* The output value of `channel` for the sum of its products, bias included. */
static inline int8_t patchnas_finish(const patchnas_weights* w, int32_t channel, uint32_t sum) {
  const int32_t scaled =
      patchnas_requantise((int32_t)sum, w->multipliers[channel], w->shifts[channel]);
  return patchnas_clamp(scaled + w->output_zero_point, w->clamp_min, w->clamp_max);
}

/* One multiply-accumulate's product; all of the portable kernels are made here. Compiled with
 * PATCHNAS_COUNT_MACS, which a program defines the counter for, they are counted as they are
 * executed. */
#if defined(PATCHNAS_COUNT_MACS)
extern uint64_t patchnas_executed_macs;
#endif

static inline uint32_t patchnas_product(int32_t weight, int32_t value) {
#if defined(PATCHNAS_COUNT_MACS)
  ++patchnas_executed_macs;
#endif
  return (uint32_t)(weight * value);
}

/* sum + the products of `count` weights and values. */
static inline uint32_t patchnas_dot(uint32_t sum, const int8_t* weights, const int8_t* values,
                                    int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    sum += patchnas_product(weights[i], values[i]);
  }
  return sum;
}

static inline int8_t* patchnas_pixel(const patchnas_window* w, int32_t row, int32_t col) {
  return w->data + ((row - w->row) * w->width + (col - w->col)) * w->channels;
}

/* The taps [begin, end) of a window of `size` that lie inside [0, extent) when its first tap is at
 * `origin`. */
typedef struct patchnas_taps {
  int32_t origin, begin, end;
} patchnas_taps;

static inline patchnas_taps patchnas_taps_inside(int32_t origin, int32_t size, int32_t extent) {
  patchnas_taps taps = {origin, origin < 0 ? -origin : 0, size};
  if (origin + size > extent) {
    taps.end = extent - origin;
  }
  return taps;
}

/* The same of taps that lie `dilation` apart. */
static inline patchnas_taps patchnas_taps_apart(int32_t origin, int32_t size, int32_t dilation,
                                                int32_t extent) {
  if (dilation == 1) {
    return patchnas_taps_inside(origin, size, extent);
  }
  const int32_t before = origin < 0 ? (dilation - 1 - origin) / dilation : 0;
  const int32_t room = extent > origin ? (extent - origin + dilation - 1) / dilation : 0;
  patchnas_taps taps = {origin, before < size ? before : size, room < size ? room : size};
  if (taps.end < taps.begin) {
    taps.end = taps.begin; /* the image lies between two taps */
  }
  return taps;
}

static inline patchnas_taps patchnas_row_taps(const patchnas_kernel* k, int32_t row) {
  return patchnas_taps_inside(row * k->stride_h - k->pad_top, k->height, k->input_height);
}

static inline patchnas_taps patchnas_col_taps(const patchnas_kernel* k, int32_t col) {
  return patchnas_taps_inside(col * k->stride_w - k->pad_left, k->width, k->input_width);
}

static inline patchnas_taps patchnas_groups_row_taps(const patchnas_groups* g, int32_t row) {
  const patchnas_kernel* const k = &g->kernel;
  return patchnas_taps_apart(row * k->stride_h - k->pad_top, k->height, g->dilation_h,
                             k->input_height);
}

static inline patchnas_taps patchnas_groups_col_taps(const patchnas_groups* g, int32_t col) {
  const patchnas_kernel* const k = &g->kernel;
  return patchnas_taps_apart(col * k->stride_w - k->pad_left, k->width, g->dilation_w,
                             k->input_width);
}

#endif
