#pragma once

// One forward and backward pass of a whole network on the CPU with batch statistics.
//
//   TrainingPass pass(network, values, memory);
//   std::vector<float> logits = pass.forward(images, count);
//   pass.backward(loss_gradient(logits), [&](int layer, const LayerGradients& gradients) { ... });
//
// Of an int8 network it computes the integers that the exported network computes, and on the way
// back the gradients of a network without rounding: rounding passes gradients on as they are
// (the straight-through estimator, Bengio et al., 2013), a clamp those of values that it left alone
// (Jacob et al., 2018).

#include <functional>
#include <span>
#include <vector>

#include "arch/network.h"
#include "arch/quantized_network.h"
#include "supernet/kernels/buffer_pool.h"
#include "supernet/kernels/fused_layers.h"
#include "supernet/kernels/thread_sums.h"

namespace patchnas::kernels {

/// Memory that passes share; one pass at a time.
struct PassMemory {
  BufferPool pool;
  std::vector<AlignedFloats> scratch;  ///< per thread
};

/// In LibTorch's layouts; empty where a layer has none.
struct LayerGradients {
  std::vector<float> weight;
  std::vector<float> bias;
  std::vector<float> gamma;
  std::vector<float> beta;
};

/// Mean and population variance of a layer's raw output over the batch, [O].
struct BatchStatistics {
  std::vector<float> mean;
  std::vector<float> variance;
};

class TrainingPass {
 public:
  /// `network` must be supported() and, like `memory`, outlive the pass.
  TrainingPass(const Network& network, std::span<const LayerValues> values, PassMemory& memory);
  /// `network` must also be exact_in_floats(). Gradients are those of the real weights and biases
  /// that it was quantised from. Images are pixel_steps().
  TrainingPass(const QuantizedNetwork& network, PassMemory& memory);

  /// @param images [count, H, W, C], normalised or in steps; must live until after backward
  /// @return logits [count, classes]
  std::vector<float> forward(std::span<const float> images, int count);

  /// What the readers of a tensor read, [count, pixels, channels]: of an int8 network in steps from
  /// the zero point. Known from forward to backward; not of the image.
  [[nodiscard]] std::vector<float> values(TensorId tensor) const;

  /// Empty for layers without batch norm. Known after forward.
  [[nodiscard]] BatchStatistics statistics(int layer) const;

  /// @param logit_gradients [count, classes]
  /// @param deliver gets every layer's gradients as soon as they are known, the last layer's first
  void backward(std::span<const float> logit_gradients,
                const std::function<void(int layer, const LayerGradients& gradients)>& deliver);

 private:
  // Of one tensor of the network. Vectors are per padded channel and empty without batch norm.
  struct Tensor {
    Buffer raw;
    int channels = 0;
    std::int64_t pixels = 0;  // of one image
    float low = 0.0F;
    float high = 0.0F;
    float margin = 0.0F;  // values less than this beyond the clamp still pass gradients
    std::vector<float> scale;
    std::vector<float> shift;
    std::vector<float> mean;
    std::vector<float> variance;
    std::vector<float> inverse_stddev;

    Buffer gradient;
    int readers_left = 0;
    std::vector<double> gradient_sum;      // of the masked gradient
    std::vector<double> gradient_product;  // of it times (raw - mean)

    [[nodiscard]] ActivationView view() const;
    // Whose clamp masks gradients.
    [[nodiscard]] ActivationView mask() const;
  };
  // d raw = a * gradient + b * raw + c through the batch norm of a tensor.
  struct NormCoefficients {
    std::vector<float> a;
    std::vector<float> b;
    std::vector<float> c;
    std::vector<double> gamma_gradient;
  };

  TrainingPass(const Network& network, std::vector<FusedLayer> layers, PassMemory& memory);

  [[nodiscard]] NormCoefficients norm_coefficients(const FusedLayer& fused,
                                                   const Tensor& out) const;
  [[nodiscard]] std::vector<float> bias_gradient(const Tensor& out, int channels) const;
  void normalise(const FusedLayer& fused, const std::vector<double>& sum,
                 const std::vector<double>& square, Tensor& tensor) const;
  static void be_steps(Tensor& tensor);
  static void be_biased(const FusedLayer& fused, Tensor& tensor);
  void run_forward(int layer);
  void run_backward(int layer, LayerGradients& gradients);
  void backward_convolution(int layer, LayerGradients& gradients);
  void backward_add(int layer);
  void backward_mean(int layer);
  void backward_function(int layer);
  void backward_scale(int layer);
  void finish(Tensor& tensor);
  Buffer take(std::int64_t pixels, int channels);
  GradientSink sink_into(Tensor& tensor);
  /// Calls run(first image, end, sink at the first) for parts of the batch, each of which sinks all
  /// of its gradients of `in`.
  template <typename Run>
  void sink_in_parts(Tensor& in, const Run& run);
  static void keep_sums(const GradientSink& sink, const ThreadSums& sums, Tensor& tensor);
  Tensor& tensor(TensorId id) { return tensors_[static_cast<std::size_t>(id)]; }

  const Network& network_;
  PassMemory& memory_;
  std::vector<FusedLayer> layers_;
  std::vector<Tensor> tensors_;
  Buffer patches_;
  const float* images_ = nullptr;
  int count_ = 0;
};

}  // namespace patchnas::kernels
