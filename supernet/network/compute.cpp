#include "supernet/network/compute.h"

#include <algorithm>
#include <array>
#include <optional>

#include <torch/torch.h>

#include "supernet/kernels/quantised_layers.h"
#include "supernet/network/folded_subnet.h"
#include "supernet/network/forward.h"
#include "supernet/network/loss.h"
#include "supernet/network/quantised_forward.h"
#include "supernet/network/torch_version.h"

namespace patchnas {
namespace {

constexpr std::array kTrained{&LayerTensors::weight, &LayerTensors::bias, &LayerTensors::gamma,
                              &LayerTensors::beta};
constexpr std::array kAll{&LayerTensors::weight,       &LayerTensors::bias,
                          &LayerTensors::gamma,        &LayerTensors::beta,
                          &LayerTensors::running_mean, &LayerTensors::running_variance};

c10::Device device_of(std::span<const LayerTensors> layers) {
  for (const LayerTensors& layer : layers) {
    if (layer.weight.defined()) {
      return layer.weight.device();
    }
  }
  return c10::kCPU;
}

// The numbers behind tensors that may be strided views.
class PlainLayers {
 public:
  explicit PlainLayers(std::span<const LayerTensors> layers)
      : layers_(layers.begin(), layers.end()) {
    for (LayerTensors& layer : layers_) {
      for (const auto member : kAll) {
        if ((layer.*member).defined()) {
          layer.*member = (layer.*member).contiguous();
        }
      }
      values_.push_back({span(layer.weight), span(layer.bias), span(layer.gamma), span(layer.beta),
                         span(layer.running_mean), span(layer.running_variance)});
    }
  }
  [[nodiscard]] std::span<const kernels::LayerValues> values() const { return values_; }

 private:
  static std::span<const float> span(const at::Tensor& tensor) {
    return tensor.defined() ? std::span<const float>(tensor.data_ptr<float>(),
                                                     static_cast<std::size_t>(tensor.numel()))
                            : std::span<const float>();
  }
  std::vector<LayerTensors> layers_;
  std::vector<kernels::LayerValues> values_;
};

void add_scaled(const std::vector<float>& gradient, double weight, const at::Tensor& target) {
  if (gradient.empty()) {
    return;
  }
  const at::Tensor source = at::from_blob(const_cast<float*>(gradient.data()),  // NOLINT
                                          target.sizes(), at::kFloat);
  target.add_(source, weight);
}

std::span<const float> plain_span(const at::Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

// What a backward pass is for.
struct Backward {
  const Goal& goal;
  double weight = 1.0;
  std::span<const LayerTensors> gradients;
  const at::Tensor& loss_scale;  // may be undefined
  const LayerDone& layer_done;   // may be empty

  void finish(int layer) const {
    if (layer_done) {
      layer_done(layer);
    }
  }
};

BatchLoss add_fused_gradients(kernels::TrainingPass pass, const Batch& batch,
                              const Backward& backward) {
  const std::vector<float> answers =
      pass.forward(batch.images, static_cast<int>(batch.labels.size()));
  const at::Tensor logits = at::from_blob(const_cast<float*>(answers.data()),  // NOLINT
                                          backward.goal.targets.sizes(), at::kFloat)
                                .clone();
  const Loss loss = cross_entropy(logits, backward.goal.targets);
  const double weight =
      backward.weight * (backward.loss_scale.defined() ? backward.loss_scale.item<double>() : 1.0);
  pass.backward(plain_span(loss.gradient), [&](int layer, const kernels::LayerGradients& own) {
    const LayerTensors& gradients = backward.gradients[static_cast<std::size_t>(layer)];
    add_scaled(own.weight, weight, gradients.weight);
    add_scaled(own.bias, weight, gradients.bias);
    add_scaled(own.gamma, weight, gradients.gamma);
    add_scaled(own.beta, weight, gradients.beta);
    backward.finish(layer);
  });
  return {loss.mean, count_correct(logits, backward.goal.labels), logits};
}

/// @param forward [N, C, H, W] images and layers that want gradients, to logits [N, classes]
template <typename Forward>
BatchLoss add_libtorch_gradients(const TensorShape& input, std::span<const LayerTensors> layers,
                                 const Batch& batch, const Backward& backward,
                                 const Forward& forward) {
  std::vector<LayerTensors> leaves(layers.begin(), layers.end());
  std::vector<int> unfinished(leaves.size(), 0);
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    for (const auto member : kTrained) {
      at::Tensor& leaf = leaves[i].*member;
      if (!leaf.defined()) {
        continue;
      }
      leaf = leaf.detach().contiguous().requires_grad_();
      ++unfinished[i];
      // Called once, with the whole gradient, while the backward pass goes on.
      leaf.register_hook([&, i, member](const at::Tensor& gradient) {
        const at::NoGradGuard no_gradients;
        (backward.gradients[i].*member).add_(gradient, backward.weight);
        if (--unfinished[i] == 0) {
          backward.finish(static_cast<int>(i));
        }
      });
    }
  }
  const at::Tensor images =
      image_tensor(batch.images, input, static_cast<int>(batch.labels.size()), device_of(layers));
  const at::AutoGradMode with_gradients(true);
  const at::Tensor logits = forward(leaves, images);
  const Loss loss = cross_entropy(logits, backward.goal.targets);
  logits.backward(backward.loss_scale.defined() ? loss.gradient * backward.loss_scale
                                                : loss.gradient);
  const at::NoGradGuard no_gradients;
  return {loss.mean, count_correct(logits, backward.goal.labels), logits.detach()};
}

/// @param forward [N, C, H, W] images to logits [N, classes]
template <typename Forward>
std::vector<float> logits_in_batches(const TensorShape& input, c10::Device device,
                                     const kernels::InferencePass::ImageSource& source, int count,
                                     const Forward& forward) {
  constexpr int kBatch = 256;
  std::vector<float> result;
  for (int begin = 0; begin < count; begin += kBatch) {
    const int size = std::min(kBatch, count - begin);
    std::vector<float> images(static_cast<std::size_t>(size * input.elements()));
    source(begin, begin + size, images.data());
    const std::vector<float> part = to_floats(forward(image_tensor(images, input, size, device)));
    result.insert(result.end(), part.begin(), part.end());
  }
  return result;
}

}  // namespace

at::Tensor image_tensor(std::span<const float> images, const TensorShape& shape, int count,
                        c10::Device device) {
  const at::Tensor nhwc =
      at::from_blob(const_cast<float*>(images.data()),  // NOLINT
                    {count, shape.height, shape.width, shape.channels}, at::kFloat);
  const at::Tensor nchw = nhwc.permute({0, 3, 1, 2}).contiguous();
  return to_device(nchw, device);
}

at::Tensor to_device(const at::Tensor& tensor, c10::Device device) {
  return device.is_cuda() ? tensor.pin_memory().to(device, /*non_blocking=*/true)
                          : tensor.to(device);
}

bool Compute::is_fused(const Network& network, std::span<const LayerTensors> layers) const {
  return backend_ == Backend::kAuto && device_of(layers).is_cpu() && kernels::supported(network);
}

BatchLoss Compute::add_gradients(const Network& network, std::span<const LayerTensors> layers,
                                 const Batch& batch, const Goal& goal, double weight,
                                 std::span<const LayerTensors> gradients,
                                 const at::Tensor& loss_scale, const LayerDone& layer_done) {
  const Backward backward{goal, weight, gradients, loss_scale, layer_done};
  if (precision_ == Precision::kFloat32 && is_fused(network, layers)) {
    const at::NoGradGuard no_gradients;
    const PlainLayers plain(layers);
    return add_fused_gradients(kernels::TrainingPass(network, plain.values(), *memory_), batch,
                               backward);
  }
  return add_libtorch_gradients(
      network.input, layers, batch, backward, [&](const auto& leaves, const at::Tensor& images) {
        std::optional<AutocastScope> autocast;
        if (precision_ == Precision::kMixed) {
          autocast.emplace(images.device().type());
        }
        return forward(network, leaves, images, NormMode::kBatch).to(at::kFloat);
      });
}

BatchLoss Compute::add_quantised_gradients(const QuantizedNetwork& network,
                                           std::span<const LayerTensors> layers, const Batch& batch,
                                           const Goal& goal, double weight,
                                           std::span<const LayerTensors> gradients,
                                           const at::Tensor& loss_scale,
                                           const LayerDone& layer_done) {
  const Backward backward{goal, weight, gradients, loss_scale, layer_done};
  if (is_fused(network.network, layers) && kernels::exact_in_floats(network)) {
    const at::NoGradGuard no_gradients;
    return add_fused_gradients(kernels::TrainingPass(network, *memory_), batch, backward);
  }
  return add_libtorch_gradients(network.network.input, layers, batch, backward,
                                [&](const auto& leaves, const at::Tensor& images) {
                                  return forward_quantised(network, leaves, images);
                                });
}

at::Tensor Compute::answers(const Network& network, std::span<const LayerTensors> layers,
                            const Batch& batch) {
  const at::NoGradGuard no_gradients;
  const int images = static_cast<int>(batch.labels.size());
  if (is_fused(network, layers)) {
    const std::int64_t elements = network.input.elements();
    const auto source = [&](int begin, int end, float* target) {
      std::copy(batch.images.begin() + begin * elements, batch.images.begin() + end * elements,
                target);
    };
    return at::from_blob(logits(network, layers, source, images).data(),
                         {images, network.output().channels}, at::kFloat)
        .clone();
  }
  return forward(network, layers,
                 image_tensor(batch.images, network.input, images, device_of(layers)),
                 NormMode::kRunning);
}

std::vector<kernels::BatchStatistics> Compute::batch_statistics(
    const Network& network, std::span<const LayerTensors> layers, std::span<const float> images,
    int count) {
  const at::NoGradGuard no_gradients;
  std::vector<kernels::BatchStatistics> statistics(layers.size());
  if (is_fused(network, layers)) {
    const PlainLayers plain(layers);
    kernels::TrainingPass pass(network, plain.values(), *memory_);
    pass.forward(images, count);
    for (std::size_t i = 0; i < statistics.size(); ++i) {
      statistics[i] = pass.statistics(static_cast<int>(i));
    }
    return statistics;
  }
  ForwardObserver observer;
  observer.raw = [&](int layer, const at::Tensor& raw) {
    statistics[static_cast<std::size_t>(layer)] = {to_floats(raw.mean({0, 2, 3})),
                                                   to_floats(raw.var({0, 2, 3}, false))};
  };
  forward(network, layers, image_tensor(images, network.input, count, device_of(layers)),
          NormMode::kBatch, observer);
  return statistics;
}

std::vector<float> Compute::logits(const Network& network, std::span<const LayerTensors> layers,
                                   const kernels::InferencePass::ImageSource& source, int count) {
  const at::NoGradGuard no_gradients;
  if (is_fused(network, layers)) {
    const PlainLayers plain(layers);
    return kernels::InferencePass(network, plain.values()).run(source, count);
  }
  return logits_in_batches(network.input, device_of(layers), source, count,
                           [&](const at::Tensor& images) {
                             return forward(network, layers, images, NormMode::kRunning);
                           });
}

std::vector<float> Compute::logits(const QuantizedNetwork& network,
                                   const kernels::InferencePass::ImageSource& source, int count) {
  const at::NoGradGuard no_gradients;
  const FoldedSubnet shapes(network.network);  // LibTorch's gradients would need its weights
  if (is_fused(network.network, shapes.layers()) && kernels::exact_in_floats(network)) {
    return kernels::InferencePass(network).run(source, count);
  }
  return logits_in_batches(network.network.input, c10::kCPU, source, count,
                           [&](const at::Tensor& images) {
                             return forward_quantised(network, shapes.layers(), images);
                           });
}

}  // namespace patchnas
