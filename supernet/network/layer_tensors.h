#pragma once

// The trained tensors of a network's layers. Those that gradient descent changes lie in one flat
// tensor, so that an optimiser's step, a copy or a checkpoint is one operation.

#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "arch/base/random.h"
#include "arch/float_network.h"
#include "arch/network.h"
#include "supernet/kernels/layer_constants.h"  // IWYU pragma: export

namespace patchnas {

/// Undefined where a layer has none: adds and poolings have no tensors, convolutions of maps no
/// bias, those of squeeze-and-excitation and the classifier no batch norm, and weights that are
/// shared no running statistics.
struct LayerTensors {
  at::Tensor weight;  ///< conv [O, I, kh, kw], depthwise [C, 1, kh, kw], fully connected [O, I]
  at::Tensor bias;    ///< [O]
  at::Tensor gamma;   ///< batch norm, [O]
  at::Tensor beta;
  at::Tensor running_mean;
  at::Tensor running_variance;  ///< of the population
};

/// kNormed: weights and batch norm, or a bias where there is none. kFolded: weights and a bias
/// each.
enum class TrainedForm { kNormed, kFolded };

/// Number of trained values of a network: weights, biases, and batch norms' gamma and beta.
std::int64_t trained_count(const Network& network, TrainedForm form = TrainedForm::kNormed);

/// Views of `flat`, one entry per layer. @param flat [trained_count(network, form)]
std::vector<LayerTensors> carve(const Network& network, const at::Tensor& flat,
                                TrainedForm form = TrainedForm::kNormed);

/// 1 for every weight that weight decay applies to, 0 for biases and batch norm.
/// [trained_count(network, form)]
at::Tensor decay_mask(const Network& network, TrainedForm form = TrainedForm::kNormed);

/// What has batch norm He-normal by fan-in, what has a bias uniform within 1 / sqrt(fan-in), gamma
/// 1, beta and bias 0.
void initialise(const Network& network, const at::Tensor& flat, RandomStream& stream);

/// Names and shapes of all layers with weights: what saved weights belong to.
std::string signature(const Network& network);

/// Plain numbers of all layers, for int8 export; batch norm is not folded.
FloatNetwork to_float_network(const Network& network, std::span<const LayerTensors> layers);

/// The weight in LibTorch's layout. @param weights in TensorFlow Lite's order (FloatLayer)
at::Tensor weight_tensor(const Network& network, int layer, const std::vector<float>& weights);

/// Copies between a tensor on any device and plain floats.
std::vector<float> to_floats(const at::Tensor& tensor);
void copy_floats(const std::vector<float>& values, const at::Tensor& tensor);

}  // namespace patchnas
