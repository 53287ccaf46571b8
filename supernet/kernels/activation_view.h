#pragma once

// How the fused kernels see tensors.
//
// A convolution stores its raw output only. Batch norm and activation are applied by whoever reads
// it, value = clamp(scale * raw + shift, low, high), so each tensor is written once and read once
// on the way forward. On the way back, the reader also masks the gradient by the clamp and sums
// what the batch norm of the tensor will need, so the two passes of batch norm's gradient cost no
// memory traffic of their own.
//
// All tensors are [pixels, channels] (NHWC), channels padded to a multiple of simd::kLanes with
// zeros.

#include <cstdint>
#include <limits>

namespace patchnas::kernels {

struct ActivationView {
  const float* raw = nullptr;
  int channels = 0;              ///< padded
  const float* scale = nullptr;  ///< [channels]; null: the value is the raw value
  const float* shift = nullptr;
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();

  [[nodiscard]] ActivationView from_pixel(std::int64_t pixel) const {
    ActivationView view = *this;
    view.raw += pixel * channels;
    return view;
  }
};

/// Sums over pixels, one entry per channel: of raw outputs and their squares on the way forward.
struct ChannelSums {
  double* sum = nullptr;
  double* product = nullptr;
};

/// The gradient of a raw output, by the chain rule through batch norm, as an affine function:
/// d raw = a * gradient + b * raw + c. Null `a`: there is no batch norm, d raw = gradient.
struct NormGradient {
  const float* gradient =
      nullptr;  ///< with respect to the normalised value, masked by the activation
  const float* raw = nullptr;
  const float* a = nullptr;
  const float* b = nullptr;
  const float* c = nullptr;

  [[nodiscard]] NormGradient from_offset(std::int64_t offset) const {
    NormGradient moved = *this;
    moved.gradient += offset;
    if (moved.raw != nullptr) {
      moved.raw += offset;
    }
    return moved;
  }
};

/// Where the gradient of an input goes.
struct GradientSink {
  float* gradient = nullptr;    ///< null: not wanted
  bool accumulate = false;      ///< add to what is there (a second reader of a residual's source)
  bool last_reader = true;      ///< only then mask and sum: the gradient is complete
  ActivationView view;          ///< of the input
  const float* mean = nullptr;  ///< of its batch norm; null if it has none
  ChannelSums sums;             ///< of the masked gradient, and of it times (raw - mean)

  [[nodiscard]] GradientSink from_pixel(std::int64_t pixel) const {
    GradientSink moved = *this;
    if (moved.gradient != nullptr) {
      moved.gradient += pixel * view.channels;
    }
    moved.view = view.from_pixel(pixel);
    return moved;
  }
};

}  // namespace patchnas::kernels
