#include "supernet/network/layer_tensors.h"

#include <cmath>
#include <numbers>

#include <torch/torch.h>

namespace patchnas {
namespace {

std::vector<std::int64_t> weight_shape(const Network& network, const Layer& layer) {
  const std::int64_t in = network.shape(layer.inputs[0]).channels;
  const std::int64_t out = layer.output.channels;
  switch (layer.kind) {
    case LayerKind::kConv2d:
      return {out, in, layer.kernel.height, layer.kernel.width};
    case LayerKind::kDepthwiseConv2d:
      return {out, 1, layer.kernel.height, layer.kernel.width};
    default:
      return {out, network.shape(layer.inputs[0]).elements()};
  }
}

// The convolutions of squeeze-and-excitation see one pixel of each image, as the classifier does.
bool has_bias(const Layer& layer, TrainedForm form) {
  return form == TrainedForm::kFolded || layer.kind == LayerKind::kFullyConnected ||
         layer.role == LayerRole::kSqueezeReduce || layer.role == LayerRole::kSqueezeExpand;
}

// [O, I, kh, kw] to TensorFlow Lite's order; FloatLayer says which.
at::Tensor to_export_order(LayerKind kind, const at::Tensor& weight) {
  switch (kind) {
    case LayerKind::kConv2d:
      return weight.permute({0, 2, 3, 1});
    case LayerKind::kDepthwiseConv2d:
      return weight.permute({1, 2, 3, 0});
    default:
      return weight;
  }
}

// Box and Muller's transform; one of its two values is enough here.
double normal(RandomStream& stream) {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - stream.uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * stream.uniform());
}

}  // namespace

std::int64_t trained_count(const Network& network, TrainedForm form) {
  std::int64_t count = 0;
  for (int i = 0; i < network.layer_count(); ++i) {
    const Layer& layer = network.layers[static_cast<std::size_t>(i)];
    if (layer.has_weights()) {
      count += weight_count(network, i) +
               std::int64_t{layer.output.channels} * (has_bias(layer, form) ? 1 : 2);
    }
  }
  return count;
}

std::vector<LayerTensors> carve(const Network& network, const at::Tensor& flat, TrainedForm form) {
  std::vector<LayerTensors> layers;
  std::int64_t offset = 0;
  const auto next = [&](const std::vector<std::int64_t>& shape) {
    std::int64_t size = 1;
    for (const std::int64_t extent : shape) {
      size *= extent;
    }
    at::Tensor view = flat.narrow(0, offset, size).view(shape);
    offset += size;
    return view;
  };
  for (const Layer& layer : network.layers) {
    LayerTensors& tensors = layers.emplace_back();
    if (!layer.has_weights()) {
      continue;
    }
    tensors.weight = next(weight_shape(network, layer));
    if (has_bias(layer, form)) {
      tensors.bias = next({layer.output.channels});
    } else {
      tensors.gamma = next({layer.output.channels});
      tensors.beta = next({layer.output.channels});
    }
  }
  return layers;
}

at::Tensor decay_mask(const Network& network, TrainedForm form) {
  const at::Tensor mask = at::zeros({trained_count(network, form)});
  for (const LayerTensors& layer : carve(network, mask, form)) {
    if (layer.weight.defined()) {
      layer.weight.fill_(1.0);
    }
  }
  return mask;
}

void initialise(const Network& network, const at::Tensor& flat, RandomStream& stream) {
  const at::Tensor values = at::zeros({trained_count(network)});
  for (const LayerTensors& layer : carve(network, values)) {
    if (!layer.weight.defined()) {
      continue;
    }
    const auto fan_in = static_cast<double>(layer.weight.numel() / layer.weight.size(0));
    auto* weight = layer.weight.data_ptr<float>();
    for (std::int64_t i = 0; i < layer.weight.numel(); ++i) {
      weight[i] = static_cast<float>(layer.bias.defined()
                                         ? (2.0 * stream.uniform() - 1.0) / std::sqrt(fan_in)
                                         : normal(stream) * std::sqrt(2.0 / fan_in));
    }
    if (layer.gamma.defined()) {
      layer.gamma.fill_(1.0);
    }
  }
  flat.copy_(values);
}

std::string signature(const Network& network) {
  std::string text;
  for (int i = 0; i < network.layer_count(); ++i) {
    const Layer& layer = network.layers[static_cast<std::size_t>(i)];
    if (!layer.has_weights()) {
      continue;
    }
    text += network.layer_name(i);
    for (const std::int64_t extent : weight_shape(network, layer)) {
      text += ' ' + std::to_string(extent);
    }
    text += '\n';
  }
  return text;
}

FloatNetwork to_float_network(const Network& network, std::span<const LayerTensors> layers) {
  FloatNetwork result{network, std::vector<FloatLayer>(layers.size())};
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const LayerTensors& from = layers[i];
    if (!from.weight.defined()) {
      continue;
    }
    FloatLayer& to = result.layers[i];
    to.weights = to_floats(to_export_order(network.layers[i].kind, from.weight));
    if (from.bias.defined()) {
      to.bias = to_floats(from.bias);
    }
    if (from.gamma.defined()) {
      to.batch_norm =
          BatchNorm{to_floats(from.gamma), to_floats(from.beta), to_floats(from.running_mean),
                    to_floats(from.running_variance), kBatchNormEpsilon};
    }
  }
  return result;
}

at::Tensor weight_tensor(const Network& network, int layer, const std::vector<float>& weights) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  const at::Tensor result = at::empty(weight_shape(network, l));
  const at::Tensor view = to_export_order(l.kind, result);
  copy_floats(weights, view);
  return result;
}

std::vector<float> to_floats(const at::Tensor& tensor) {
  const at::Tensor plain = tensor.detach().to(at::kCPU, at::kFloat).contiguous();
  const auto* data = plain.data_ptr<float>();
  return {data, data + plain.numel()};
}

void copy_floats(const std::vector<float>& values, const at::Tensor& tensor) {
  const at::Tensor source =
      at::from_blob(const_cast<float*>(values.data()), tensor.sizes(), at::kFloat);  // NOLINT
  tensor.copy_(source);
}

}  // namespace patchnas
