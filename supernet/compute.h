#pragma once

// Loss, gradients, statistics and logits of a network, by the fused kernels on the CPU or by
// LibTorch's operators (forward.h) anywhere.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <c10/core/Device.h>

#include "arch/network.h"
#include "arch/quantized_network.h"
#include "supernet/inference_pass.h"
#include "supernet/layer_tensors.h"
#include "supernet/training_pass.h"

namespace patchnas {

struct Batch {
  std::vector<float> images;         ///< [N, H, W, C], normalised
  std::vector<std::int32_t> labels;  ///< [N]
};

struct BatchLoss {
  double mean = 0.0;
  int correct = 0;
};

/// kAuto: fused kernels where they support network and device.
enum class Backend { kAuto, kLibTorch };

/// Keeps memory between calls.
class Compute {
 public:
  explicit Compute(Backend backend = Backend::kAuto) : backend_(backend) {}

  /// Runs the batch forward with its own statistics and backward, and adds weight * d loss to
  /// `gradients`, which has the shapes of `layers`. Loss: smoothed_cross_entropy().
  BatchLoss add_gradients(const Network& network, std::span<const LayerTensors> layers,
                          const Batch& batch, double label_smoothing, double weight,
                          std::span<const LayerTensors> gradients);

  /// The same through an int8 network (training_pass.h): the loss of the logits that the exported
  /// network computes, and the gradients of the folded weights and biases it was quantised from.
  /// @param layers the folded weights and biases
  BatchLoss add_quantised_gradients(const QuantizedNetwork& network,
                                    std::span<const LayerTensors> layers, const Batch& batch,
                                    double label_smoothing, double weight,
                                    std::span<const LayerTensors> gradients);

  /// Mean and population variance of every raw output while the batch runs with its own statistics.
  /// @param images [count, H, W, C]
  std::vector<fused::BatchStatistics> batch_statistics(const Network& network,
                                                       std::span<const LayerTensors> layers,
                                                       std::span<const float> images, int count);

  /// With running statistics. @return [count, classes]
  std::vector<float> logits(const Network& network, std::span<const LayerTensors> layers,
                            const fused::InferencePass::ImageSource& source, int count);

 private:
  [[nodiscard]] bool is_fused(const Network& network, std::span<const LayerTensors> layers) const;

  Backend backend_;
  std::unique_ptr<fused::Workspace> workspace_ = std::make_unique<fused::Workspace>();
};

/// [count, H, W, C] floats as the [count, C, H, W] tensor that forward() takes.
at::Tensor image_tensor(std::span<const float> images, const TensorShape& shape, int count,
                        c10::Device device);

}  // namespace patchnas
