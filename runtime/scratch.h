/* Scratch that kernels need, and how near over its input an output may lie, for C and C++: what
 * plans memory asks what the kernels were written with. */
#ifndef PATCHNAS_RUNTIME_SCRATCH_H
#define PATCHNAS_RUNTIME_SCRATCH_H

#include <stdint.h>

/* Kernels load vectors of 16 bytes, which may begin in the last byte of the plane. */
#define PATCHNAS_SCRATCH_SLACK_BYTES 16

/* Bytes of scratch, at any alignment, with which patchnas_depthwise computes `rows` x
 * `cols` output pixels: the padded plane of one channel that their windows touch, and slack. */
static inline int64_t patchnas_depthwise_scratch_bytes(int32_t rows, int32_t cols, int32_t kernel_h,
                                                       int32_t kernel_w, int32_t stride_h,
                                                       int32_t stride_w) {
  return ((int64_t)(rows - 1) * stride_h + kernel_h) * ((int64_t)(cols - 1) * stride_w + kernel_w) +
         PATCHNAS_SCRATCH_SLACK_BYTES;
}

/* Pixels that patchnas_pointwise may read and write in any order. */
#define PATCHNAS_POINTWISE_GROUP 4

/* How far in front of its input, at least, patchnas_pointwise may write over it, where all of the
 * two windows' `pixels` lie side by side; also enough for fewer. The output of the pixels that are
 * computed together must end before the input of the first of them begins: nearest for the first
 * pixels where channels become fewer, for the last where they become more. */
static inline int64_t patchnas_pointwise_distance_bytes(int64_t pixels, int32_t input_channels,
                                                        int32_t output_channels) {
  const int64_t together = pixels < PATCHNAS_POINTWISE_GROUP ? pixels : PATCHNAS_POINTWISE_GROUP;
  return output_channels <= input_channels
             ? together * output_channels
             : pixels * output_channels - (pixels - together) * input_channels;
}

#endif
