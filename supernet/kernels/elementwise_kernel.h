#pragma once

// What remains between the convolutions (activation_view.h): patches of the image, residual adds,
// global average pooling. Every function works in the calling thread.

#include <cstdint>

#include "arch/network.h"
#include "supernet/kernels/activation_view.h"

namespace patchnas::kernels {

/// The windows of a convolution over one image as the rows of a matrix, so that it becomes a 1x1
/// one.
/// @param image [H, W, C] of `shape`, not padded
/// @param patches [output pixels, padded(kh * kw * C)], taps in the order kh, kw, C; zeros
/// elsewhere
void gather_patches(const float* image, const TensorShape& shape, const Kernel& kernel,
                    const TensorShape& output, float* patches);

/// sum = a + b
void add_views(const ActivationView& a, const ActivationView& b, std::int64_t pixels, float* sum);

/// Masks `sink.gradient` and adds up its sums where the gradient is complete but no kernel has done
/// so.
void finish_gradient(const GradientSink& sink, std::int64_t pixels);

/// target += source, both [count]; count a multiple of 8.
void accumulate(const float* source, std::int64_t count, float* target);

/// Mean over the pixels of one image. @param mean [channels]
void mean_pixels(const ActivationView& input, std::int64_t pixels, float* mean);

/// Spreads the gradient of mean_pixels over the pixels of one image.
void spread_gradient(const float* mean_gradient, std::int64_t pixels, const GradientSink& sink);

}  // namespace patchnas::kernels
