#pragma once

// The trained tensors of one layer.

#include <ATen/core/Tensor.h>

#include <vector>

#include "arch/network.h"

namespace patchnas {

/// Batch norm's epsilon, everywhere.
inline constexpr double kBatchNormEpsilon = 1e-5;

/// Undefined where a layer has none: adds and poolings have no tensors, convolutions no bias, the
/// classifier no batch norm, and weights that are shared no running statistics.
struct LayerTensors {
  at::Tensor weight;  ///< conv [O, I, kh, kw], depthwise [C, 1, kh, kw], fully connected [O, I]
  at::Tensor bias;    ///< [O]
  at::Tensor gamma;   ///< batch norm, [O]
  at::Tensor beta;
  at::Tensor running_mean;
  at::Tensor running_variance;  ///< of the population
};

/// weight, bias, gamma and beta of every layer, those that are defined, in order.
std::vector<at::Tensor> trainable(const std::vector<LayerTensors>& layers);

}  // namespace patchnas
