#pragma once

// A trained network as plain numbers, without LibTorch: what the supernet hands to int8 export, and
// what float files of others are read as.

#include <cstdint>
#include <optional>
#include <vector>

#include "arch/network.h"

namespace patchnas {

/// Inference batch norm: y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, one entry per
/// output channel.
struct BatchNorm {
  std::vector<float> gamma;
  std::vector<float> beta;
  std::vector<float> mean;
  std::vector<float> variance;
  double epsilon = 1e-5;
  bool operator==(const BatchNorm&) const = default;
};

struct FloatLayer {
  /// TensorFlow Lite's order: conv [O, kh, kw, I], depthwise [1, kh, kw, C], fully connected [O,
  /// I].
  std::vector<float> weights;
  std::vector<float> bias;              ///< [O], empty for none
  std::optional<BatchNorm> batch_norm;  ///< applied after weights and bias, before the activation
  /// What a layer's only input is combined with (has_constant_operand()), and whether it comes
  /// first: [C], or with Layer::has_constant_map [H, W, C], as what copies leave.
  std::vector<float> constants{};
  bool constants_come_first = false;
  float leaky_slope = 0.0F;  ///< of ValueFunction::kLeakyRelu below zero
  float fill = 0.0F;         ///< of what a copy leaves (fills())
  bool is_sum = false;       ///< a kMean that is not divided by the number of its values
  bool operator==(const FloatLayer&) const = default;
};

/// A fill up to here stands for what no maximum takes, whatever the other values.
inline constexpr float kLeastFill = -1e30F;

struct FloatNetwork {
  Network network;
  std::vector<FloatLayer> layers;  ///< one per layer
  bool operator==(const FloatNetwork&) const = default;
};

/// Smallest and largest value of a tensor over calibration images.
struct ValueRange {
  float min = 0.0F;
  float max = 0.0F;
  bool operator==(const ValueRange&) const = default;
};

/// How 8-bit pixels enter a network: real = (pixel - mean) / stddev, for every channel. The int8
/// input tensor has scale 1 / stddev and zero point mean - 128, so that stored_pixel() is exact.
struct PixelNormalisation {
  int mean = 128;
  double stddev = 64.0;
  bool operator==(const PixelNormalisation&) const = default;
};

inline constexpr int kPixelOffset = 128;

/// What an int8 network reads for a pixel, whatever its normalisation.
constexpr std::int8_t stored_pixel(std::uint8_t pixel) {
  return static_cast<std::int8_t>(pixel - kPixelOffset);
}

/// The pixels that int8 networks are trained and evaluated with in floats: steps of the input
/// tensor from its zero point, stored_pixel(pixel) - zero_point, which are whole numbers.
constexpr PixelNormalisation pixel_steps(std::int32_t zero_point) {
  return {.mean = zero_point + kPixelOffset, .stddev = 1.0};
}

}  // namespace patchnas
