#pragma once

// From the scales of a network to the integers that its kernels compute with.

#include <optional>

#include "arch/quantized_network.h"

namespace patchnas {

/// Fills in everything of `layers` that follows from shapes, weights, biases and scales:
/// multipliers and shifts, activation clamps, add and softmax arithmetic, exactly as TensorFlow
/// Lite Micro prepares its kernels.
/// @throws InputError naming the layer if a size or scale does not fit its network, if the
/// specification ties a layer's output quantisation to its input's and they differ, or if an int32
/// accumulator could overflow.
QuantizedNetwork derive_arithmetic(QuantizedNetwork network);

/// The stored values that a fused activation function lets through; nothing where the scale is too
/// small to say them.
std::optional<ActivationClamp> activation_clamp(Activation activation,
                                                const TensorQuantisation& output);

/// Softmax and logistic write probabilities: scale 1/256, zero point -128.
inline constexpr TensorQuantisation kSoftmaxOutput{1.0F / 256.0F, -128};
inline constexpr TensorQuantisation kTanhOutput{1.0F / 128.0F, 0};

/// Scale and zero point of the layer's output where the specification fixes them.
std::optional<TensorQuantisation> fixed_output(const Layer& layer);
/// Whether the layer hands on stored values as they are, or chooses or averages among them: its
/// output has the scale and zero point of all its inputs.
bool keeps_scale(const Layer& layer);

}  // namespace patchnas
