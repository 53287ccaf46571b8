/* Scratch that kernels need, for C and C++: what plans memory asks what the kernels were written
 * with. Only patchnas_depthwise_in_place needs any. */
#ifndef PATCHNAS_RUNTIME_SCRATCH_H
#define PATCHNAS_RUNTIME_SCRATCH_H

#include <stdint.h>

/* Kernels load words of four bytes, which may begin in the last byte of the plane. */
#define PATCHNAS_SCRATCH_SLACK_BYTES 4

/* Bytes of scratch, at any alignment, with which patchnas_depthwise_in_place computes `rows` x
 * `cols` output pixels: the padded plane of one channel that their windows touch, and slack. */
static inline int64_t patchnas_depthwise_scratch_bytes(int32_t rows, int32_t cols, int32_t kernel_h,
                                                       int32_t kernel_w, int32_t stride_h,
                                                       int32_t stride_w) {
  return ((int64_t)(rows - 1) * stride_h + kernel_h) * ((int64_t)(cols - 1) * stride_w + kernel_w) +
         PATCHNAS_SCRATCH_SLACK_BYTES;
}

#endif
