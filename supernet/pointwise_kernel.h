#pragma once

// 1x1 convolution as a matrix product over pixels, fused with what surrounds it
// (activation_view.h). Every function works on a run of pixels in the calling thread.

#include <cstddef>
#include <cstdint>

#include "supernet/activation_view.h"

namespace patchnas::fused {

/// Floats of scratch that either function needs.
std::size_t pointwise_scratch_size(int in_channels, int out_channels);

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

}  // namespace patchnas::fused
