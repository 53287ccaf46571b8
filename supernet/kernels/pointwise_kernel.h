#pragma once

// 1x1 convolution as a matrix product over pixels, fused with what surrounds it
// (activation_view.h). Every function works on a run of pixels in the calling thread.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "supernet/kernels/activation_view.h"

namespace patchnas::kernels {

/// Pixels of a tile: their inputs and outputs stay in the first-level cache between the steps of a
/// kernel.
inline int pointwise_tile_pixels(int in_channels, int out_channels) {
  constexpr int kTileFloats = 6144;
  constexpr int kStep = 8;  // rows of the largest register block
  const int pixels = kTileFloats / (in_channels + out_channels);
  return std::clamp(pixels / kStep * kStep, 32, 256);
}

/// Floats of scratch that either function needs.
inline std::size_t pointwise_scratch_size(int in_channels, int out_channels) {
  const auto pixels = static_cast<std::size_t>(pointwise_tile_pixels(in_channels, out_channels));
  return pixels * static_cast<std::size_t>(2 * in_channels + out_channels);
}

/// output = input * weights.
/// @param weights [in, out] row-major, both padded
/// @param sums of the outputs and their squares are added here; null members: not wanted
void pointwise_forward(const ActivationView& input, std::int64_t pixels, const float* weights,
                       int out_channels, float* output, const ChannelSums& sums, float* scratch);

/// @param weights_transposed [out, in] row-major, both padded
/// @param weight_gradient [in, out], added to
void pointwise_backward(const ActivationView& input, std::int64_t pixels,
                        const NormGradient& output, int out_channels,
                        const float* weights_transposed, float* weight_gradient,
                        const GradientSink& sink, float* scratch);

}  // namespace patchnas::kernels
