#pragma once

// The interpreter on LibTorch's operators: runs a lowered network with the tensors of its layers,
// on any device. On the CPU, compute.h runs the same with fused kernels; this one defines what they
// must compute.

#include <functional>
#include <span>

#include <ATen/core/Tensor.h>

#include "arch/network.h"
#include "supernet/network/layer_tensors.h"

namespace patchnas {

/// Which statistics batch norm uses: those of the batch (training, recalibration) or the running
/// ones.
enum class NormMode { kBatch, kRunning };

/// Sees what passes by; empty functions are not called.
struct ForwardObserver {
  /// Every tensor of the network, [N, C, H, W], or [N, C] after the classifier.
  std::function<void(TensorId, const at::Tensor&)> tensor;
  /// Output of every convolution before its batch norm, [N, C, H, W].
  std::function<void(int layer, const at::Tensor&)> raw;
};

/// Differentiable with respect to the layers' tensors and the images.
/// @param images [N, C, H, W], normalised
/// @return logits [N, classes]
/// @throws Error for operators that no lowered architecture has.
at::Tensor forward(const Network& network, std::span<const LayerTensors> layers, at::Tensor images,
                   NormMode mode, const ForwardObserver& observer = {});

/// What a layer computes before batch norm and activation function.
/// @param x,other the inputs, [N, C, H, W]; `other` of adds and multiplications only
/// @throws Error for operators that no lowered architecture has.
at::Tensor linear_output(const Network& network, int layer, const LayerTensors& tensors,
                         const at::Tensor& x, const at::Tensor& other);

}  // namespace patchnas
