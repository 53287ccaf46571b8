#pragma once

// Loss, gradients, statistics and logits of a network, by the fused kernels on the CPU or by
// LibTorch's operators (forward.h) anywhere.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include <c10/core/Device.h>

#include "arch/network.h"
#include "arch/precision.h"
#include "arch/quantized_network.h"
#include "supernet/data/batch.h"
#include "supernet/kernels/inference_pass.h"
#include "supernet/kernels/training_pass.h"
#include "supernet/network/layer_tensors.h"

namespace patchnas {

/// What a network is to answer to a batch, on its device.
struct Goal {
  at::Tensor labels;   ///< [N], whole numbers
  at::Tensor targets;  ///< [N, classes], as cross_entropy() takes them
};

/// On the device of the network.
struct BatchLoss {
  at::Tensor mean;     ///< [], double
  at::Tensor correct;  ///< [], whole number: images whose largest logit is their label
  at::Tensor logits;   ///< [N, classes]
};

/// kAuto: fused kernels where they support network and device.
enum class Backend { kAuto, kLibTorch };

/// Is told of every layer, the later ones first on the whole, when all of its gradients are added.
using LayerDone = std::function<void(int layer)>;

/// Keeps memory between calls.
class Compute {
 public:
  explicit Compute(Backend backend = Backend::kAuto, Precision precision = Precision::kFloat32)
      : backend_(backend), precision_(precision) {}

  /// Runs the batch forward with its own statistics and backward, and adds weight * d loss to
  /// `gradients`, which has the shapes of `layers`. Loss: cross_entropy().
  /// @param loss_scale [], multiplies the gradients where it is defined, and keeps those of short
  /// floating-point types from vanishing on the way
  BatchLoss add_gradients(const Network& network, std::span<const LayerTensors> layers,
                          const Batch& batch, const Goal& goal, double weight,
                          std::span<const LayerTensors> gradients,
                          const at::Tensor& loss_scale = {}, const LayerDone& layer_done = {});

  /// The same through an int8 network (training_pass.h): the loss of the logits that the exported
  /// network computes, and the gradients of the folded weights and biases it was quantised from. In
  /// float32, whatever the precision.
  /// @param layers the folded weights and biases
  /// @param batch with images in pixel_steps()
  BatchLoss add_quantised_gradients(const QuantizedNetwork& network,
                                    std::span<const LayerTensors> layers, const Batch& batch,
                                    const Goal& goal, double weight,
                                    std::span<const LayerTensors> gradients,
                                    const at::Tensor& loss_scale = {},
                                    const LayerDone& layer_done = {});

  /// With running statistics. @return logits [N, classes], on the device of the network
  at::Tensor answers(const Network& network, std::span<const LayerTensors> layers,
                     const Batch& batch);

  /// Mean and population variance of every raw output while the batch runs with its own statistics.
  /// @param images [count, H, W, C]
  std::vector<kernels::BatchStatistics> batch_statistics(const Network& network,
                                                         std::span<const LayerTensors> layers,
                                                         std::span<const float> images, int count);

  /// With running statistics. @return [count, classes]
  std::vector<float> logits(const Network& network, std::span<const LayerTensors> layers,
                            const kernels::InferencePass::ImageSource& source, int count);
  /// Those of the exported network, as real numbers; on the CPU. @return [count, classes]
  /// @param source of images in pixel_steps()
  std::vector<float> logits(const QuantizedNetwork& network,
                            const kernels::InferencePass::ImageSource& source, int count);

 private:
  [[nodiscard]] bool is_fused(const Network& network, std::span<const LayerTensors> layers) const;

  Backend backend_;
  Precision precision_;
  std::unique_ptr<kernels::PassMemory> memory_ = std::make_unique<kernels::PassMemory>();
};

/// [count, H, W, C] floats as the [count, C, H, W] tensor that forward() takes.
at::Tensor image_tensor(std::span<const float> images, const TensorShape& shape, int count,
                        c10::Device device);

/// A copy of a tensor in plain memory on the device; on CUDA it is under way when this returns.
at::Tensor to_device(const at::Tensor& tensor, c10::Device device);

}  // namespace patchnas
