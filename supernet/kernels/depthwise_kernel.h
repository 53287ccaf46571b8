#pragma once

// Depthwise convolution, fused with what surrounds it (activation_view.h). Every function works on
// one image in the calling thread, the channels of a vector at a time: their plane, padded with
// zeros, stays in cache.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "supernet/kernels/activation_view.h"

namespace patchnas::kernels {

struct PlaneSize {
  int height = 0;
  int width = 0;
  [[nodiscard]] std::int64_t pixels() const { return std::int64_t{height} * width; }
};

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

  /// Every window of the convolution lies in it.
  [[nodiscard]] PlaneSize input_plane() const {
    return {std::max(in_height + pad_top, (out_height - 1) * stride + kernel_size),
            std::max(in_width + pad_left, (out_width - 1) * stride + kernel_size)};
  }
  /// Every output whose window touches the input lies in it, and zeros where such an output would
  /// not exist.
  [[nodiscard]] PlaneSize gradient_plane() const {
    return {std::max(in_height, out_height) + 2 * kernel_size,
            std::max(in_width, out_width) + 2 * kernel_size};
  }
};

/// Whether the kernels are compiled for this kernel size and stride.
inline bool depthwise_supported(int kernel_size, int stride) {
  return (kernel_size == 1 || kernel_size == 3 || kernel_size == 5 || kernel_size == 7) &&
         (stride == 1 || stride == 2);
}

/// Floats of scratch that either function needs: the planes of the widest vector, and a row.
inline std::size_t depthwise_scratch_size(const DepthwiseShape& shape) {
  constexpr int kMostLanes = 16;
  return static_cast<std::size_t>(kMostLanes * (shape.input_plane().pixels() +
                                                shape.gradient_plane().pixels() + shape.in_width));
}

/// @param input,output at their first pixel of the image
/// @param weights [channels / 8][kernel_size * kernel_size][8]
void depthwise_forward(const DepthwiseShape& shape, const ActivationView& input,
                       const float* weights, float* output, const ChannelSums& sums,
                       float* scratch);

/// @param weight_gradient as weights, added to
void depthwise_backward(const DepthwiseShape& shape, const ActivationView& input,
                        const NormGradient& output, const float* weights, float* weight_gradient,
                        const GradientSink& sink, float* scratch);

}  // namespace patchnas::kernels
