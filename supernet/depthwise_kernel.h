#pragma once

// Depthwise convolution, fused with what surrounds it (activation_view.h). Every function works on
// one image in the calling thread, eight channels at a time: their plane, padded with zeros, stays
// in cache.

#include <cstddef>

#include "supernet/activation_view.h"

namespace patchnas::fused {

/// Square kernels of any size, stride 1 or 2 on both axes.
struct DepthwiseShape {
  int channels = 0;  ///< padded
  int in_height = 0;
  int in_width = 0;
  int out_height = 0;
  int out_width = 0;
  int kernel_size = 1;
  int stride = 1;
  int pad_top = 0;
  int pad_left = 0;

  [[nodiscard]] std::int64_t in_pixels() const { return std::int64_t{in_height} * in_width; }
  [[nodiscard]] std::int64_t out_pixels() const { return std::int64_t{out_height} * out_width; }
};

/// Whether the kernels are compiled for this kernel size and stride.
bool depthwise_supported(int kernel_size, int stride);

/// Floats of scratch that either function needs.
std::size_t depthwise_scratch_size(const DepthwiseShape& shape);

/// @param input,output at their first pixel of the image
/// @param weights [channels / 8][kernel_size * kernel_size][8]
void depthwise_forward(const DepthwiseShape& shape, const ActivationView& input,
                       const float* weights, float* output, const ChannelSums& sums,
                       float* scratch);

/// @param weight_gradient as weights, added to
void depthwise_backward(const DepthwiseShape& shape, const ActivationView& input,
                        const NormGradient& output, const float* weights, float* weight_gradient,
                        const GradientSink& sink, float* scratch);

}  // namespace patchnas::fused
