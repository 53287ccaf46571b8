#pragma once

// An int8 network on LibTorch's operators, on any device: the integers of the exported network on
// the way forward, the gradients of the real network it was quantised from on the way back.
// training_pass.h does the same with fused kernels; this one defines what they must compute.

#include <functional>
#include <span>

#include <ATen/core/Tensor.h>

#include "arch/quantized_network.h"
#include "supernet/network/layer_tensors.h"

namespace patchnas {

/// Sees every tensor of the network in steps from its zero point: [N, C, H, W], or [N, C] after the
/// classifier.
using StepsObserver = std::function<void(TensorId, const at::Tensor&)>;

/// Differentiable with respect to the layers' tensors: rounding passes gradients on as they are
/// (the straight-through estimator, Bengio et al., 2013), a clamp those of values that it left
/// alone (Jacob et al., 2018).
/// @param layers the folded weights and biases that `network` was quantised from
/// @param images [N, C, H, W], pixel_steps()
/// @return logits [N, classes] as real numbers
/// @throws Error for operators that no lowered architecture has.
at::Tensor forward_quantised(const QuantizedNetwork& network, std::span<const LayerTensors> layers,
                             const at::Tensor& images, const StepsObserver& observer = {});

}  // namespace patchnas
