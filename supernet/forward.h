#pragma once

// The one interpreter: runs a lowered network with the tensors of its layers.

#include <ATen/core/Tensor.h>

#include <functional>
#include <span>

#include "arch/network.h"
#include "supernet/layer_tensors.h"

namespace patchnas {

/// Which statistics batch norm uses: those of the batch (training, recalibration) or the running ones.
enum class NormMode { kBatch, kRunning };

/// Called with every tensor of the network ([N, C, H, W]; [N, C] after the classifier) once it is known.
using TensorObserver = std::function<void(TensorId, const at::Tensor&)>;

/// Differentiable with respect to the layers' tensors and the images.
/// @param images [N, C, H, W], normalised
/// @return logits [N, classes]
at::Tensor forward(const Network& network, std::span<const LayerTensors> layers, at::Tensor images,
                   NormMode mode, const TensorObserver& observer = {});

}  // namespace patchnas
