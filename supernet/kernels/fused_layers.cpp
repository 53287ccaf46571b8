#include "supernet/kernels/fused_layers.h"

#include <algorithm>
#include <limits>

#include "supernet/kernels/elementwise_kernel.h"
#include "supernet/kernels/pointwise_kernel.h"
#include "supernet/kernels/simd.h"

namespace patchnas::kernels {
namespace {

using simd::kLanes;
using simd::padded;

std::vector<float> padded_copy(std::span<const float> values, int size) {
  std::vector<float> copy(values.begin(), values.end());
  if (!copy.empty()) {
    copy.resize(static_cast<std::size_t>(size), 0.0F);
  }
  return copy;
}

int taps(const Layer& layer) { return layer.kernel.height * layer.kernel.width; }

// Where weight (o, i, tap) of LibTorch's [O, I, kh, kw] lies in the packed [in, out] matrix.
struct MatrixIndex {
  int in = 0;
  int taps = 1;
  int packed_in = 0;
  int packed_out = 0;

  template <typename Visit>
  void for_each(int out, const Visit& visit) const {
    for (int o = 0; o < out; ++o) {
      for (int i = 0; i < in; ++i) {
        for (int tap = 0; tap < taps; ++tap) {
          visit((std::size_t(o) * in + i) * taps + tap, tap * in + i, o);
        }
      }
    }
  }
};

MatrixIndex matrix_index(const Network& network, const Layer& layer, const FusedLayer& fused) {
  return {network.shape(layer.inputs[0]).channels, taps(layer), fused.in_channels,
          fused.out_channels};
}

void pack_matrix(const Network& network, const Layer& layer, std::span<const float> weight,
                 FusedLayer& fused) {
  const auto size = static_cast<std::size_t>(fused.in_channels) * fused.out_channels;
  fused.weights.assign(size, 0.0F);
  fused.backward_weights.assign(size, 0.0F);
  matrix_index(network, layer, fused)
      .for_each(layer.output.channels, [&](std::size_t from, int row, int column) {
        fused.weights[static_cast<std::size_t>(row) * fused.out_channels + column] = weight[from];
        fused.backward_weights[static_cast<std::size_t>(column) * fused.in_channels + row] =
            weight[from];
      });
}

std::size_t depthwise_index(int channel, int tap, int taps) {
  return (static_cast<std::size_t>(channel / kLanes) * taps + tap) * kLanes + channel % kLanes;
}

void pack_depthwise(const Layer& layer, std::span<const float> weight, FusedLayer& fused) {
  const int count = taps(layer);
  fused.weights.assign(static_cast<std::size_t>(fused.out_channels) * count, 0.0F);
  for (int channel = 0; channel < layer.output.channels; ++channel) {
    for (int tap = 0; tap < count; ++tap) {
      fused.weights[depthwise_index(channel, tap, count)] =
          weight[static_cast<std::size_t>(channel) * count + tap];
    }
  }
  fused.backward_weights = fused.weights;
}

void set_activation(Activation activation, FusedLayer& fused) {
  const auto [low, high] = activation_limits(activation);
  fused.low = low;
  fused.high = high;
}

Operation operation_of(const Layer& layer) {
  switch (layer.kind) {
    case LayerKind::kConv2d:
      return layer.inputs[0] == kImage ? Operation::kPatches : Operation::kPointwise;
    case LayerKind::kDepthwiseConv2d:
      return Operation::kDepthwise;
    case LayerKind::kAdd:
      return Operation::kAdd;
    case LayerKind::kAveragePool:
      return Operation::kMean;
    case LayerKind::kLookup:
      return Operation::kFunction;
    case LayerKind::kMultiply:
      return Operation::kScale;
    default:
      return Operation::kPointwise;
  }
}

bool is_pointwise(const Kernel& k) { return k == Kernel{}; }

bool is_supported(const Network& network, int index) {
  const Layer& layer = network.layers[static_cast<std::size_t>(index)];
  const TensorShape& in = network.shape(layer.inputs[0]);
  if (layer.inputs[0] == kImage) {
    return index == 0 && layer.kind == LayerKind::kConv2d;
  }
  switch (layer.kind) {
    case LayerKind::kConv2d:
      return is_pointwise(layer.kernel);
    case LayerKind::kDepthwiseConv2d:
      return layer.output.channels == in.channels && layer.kernel.height == layer.kernel.width &&
             layer.kernel.stride_h == layer.kernel.stride_w &&
             depthwise_supported(layer.kernel.width, layer.kernel.stride_w);
    case LayerKind::kAdd:
      // The gradients of both inputs share a buffer (TrainingPass): one must be the layer before,
      // without a clamp, so that it has read the gradient when the other's remaining reader adds to
      // it.
      return layer.activation == Activation::kNone && layer.inputs[0] != layer.inputs[1] &&
             std::min(layer.inputs[0], layer.inputs[1]) > kImage &&
             std::max(layer.inputs[0], layer.inputs[1]) == index &&
             network.layers[static_cast<std::size_t>(index - 1)].activation == Activation::kNone;
    case LayerKind::kAveragePool:
      return layer.output.pixels() == 1 && layer.kernel.height == in.height &&
             layer.kernel.width == in.width && layer.activation == Activation::kNone;
    case LayerKind::kLookup:
      return is_trained(layer.function) && layer.activation == Activation::kNone;
    case LayerKind::kMultiply:
      return layer.activation == Activation::kNone && layer.inputs[1] > kImage &&
             layer.inputs[0] != layer.inputs[1] && network.shape(layer.inputs[1]).pixels() == 1;
    case LayerKind::kFullyConnected:
      return in.pixels() == 1 && layer.activation == Activation::kNone &&
             index + 1 == network.layer_count();
    default:
      return false;
  }
}

}  // namespace

bool supported(const Network& network) {
  bool all = network.layer_count() > 0 && network.layers.back().kind == LayerKind::kFullyConnected;
  for (int i = 0; i < network.layer_count(); ++i) {
    all = all && is_supported(network, i);
  }
  return all;
}

std::vector<FusedLayer> make_fused_layers(const Network& network,
                                          std::span<const LayerValues> values) {
  std::vector<FusedLayer> result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Layer& layer = network.layers[i];
    const TensorShape& in = network.shape(layer.inputs[0]);
    FusedLayer& fused = result[i];
    fused.operation = operation_of(layer);
    fused.in_channels =
        padded(fused.operation == Operation::kPatches ? taps(layer) * in.channels : in.channels);
    fused.out_channels = padded(layer.output.channels);
    fused.in_pixels = in.pixels();
    fused.out_pixels = layer.output.pixels();
    if (layer.input_count() == 2) {
      fused.second_pixels = network.shape(layer.inputs[1]).pixels();
    }
    fused.function = layer.function;
    set_activation(layer.activation, fused);
    if (fused.operation == Operation::kDepthwise) {
      fused.depthwise = {fused.out_channels,
                         in.height,
                         in.width,
                         layer.output.height,
                         layer.output.width,
                         layer.kernel.width,
                         layer.kernel.stride_w,
                         layer.kernel.pad_top,
                         layer.kernel.pad_left};
      pack_depthwise(layer, values[i].weight, fused);
    } else if (layer.has_weights()) {
      pack_matrix(network, layer, values[i].weight, fused);
    }
    fused.bias = padded_copy(values[i].bias, fused.out_channels);
    fused.gamma = padded_copy(values[i].gamma, fused.out_channels);
    fused.beta = padded_copy(values[i].beta, fused.out_channels);
    fused.has_norm = !fused.gamma.empty();
    fused.has_bias = !fused.bias.empty() && !fused.has_norm && i + 1 < values.size();
  }
  return result;
}

std::vector<float> unpack_weight_gradient(const Network& network, int layer,
                                          const FusedLayer& fused, std::span<const float> packed) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  std::vector<float> weight(static_cast<std::size_t>(weight_count(network, layer)));
  if (fused.operation == Operation::kDepthwise) {
    const int count = taps(l);
    for (int channel = 0; channel < l.output.channels; ++channel) {
      for (int tap = 0; tap < count; ++tap) {
        weight[static_cast<std::size_t>(channel) * count + tap] =
            packed[depthwise_index(channel, tap, count)];
      }
    }
    return weight;
  }
  matrix_index(network, l, fused)
      .for_each(l.output.channels, [&](std::size_t to, int row, int column) {
        weight[to] = packed[static_cast<std::size_t>(row) * fused.out_channels + column];
      });
  return weight;
}

std::size_t scratch_size(std::span<const FusedLayer> layers) {
  std::size_t size = 0;
  for (const FusedLayer& layer : layers) {
    const bool depthwise = layer.operation == Operation::kDepthwise;
    size =
        std::max(size, depthwise ? depthwise_scratch_size(layer.depthwise)
                                 : pointwise_scratch_size(layer.in_channels, layer.out_channels));
  }
  return size;
}

void run_layer(const Network& network, int layer, const FusedLayer& fused, const LayerRun& run,
               float* scratch) {
  const std::int64_t pixels = run.count * fused.out_pixels;
  switch (fused.operation) {
    case Operation::kPatches: {
      const Layer& l = network.layers[static_cast<std::size_t>(layer)];
      for (int image = 0; image < run.count; ++image) {
        gather_patches(run.images + image * network.input.elements(), network.input, l.kernel,
                       l.output, run.patches + image * fused.out_pixels * fused.in_channels);
      }
      const ActivationView patches{.raw = run.patches, .channels = fused.in_channels};
      pointwise_forward(patches, pixels, fused.weights.data(), fused.out_channels, run.output,
                        run.sums, scratch);
      break;
    }
    case Operation::kPointwise:
      pointwise_forward(run.a, pixels, fused.weights.data(), fused.out_channels, run.output,
                        run.sums, scratch);
      break;
    case Operation::kDepthwise:
      for (int image = 0; image < run.count; ++image) {
        depthwise_forward(
            fused.depthwise, run.a.from_pixel(image * fused.in_pixels), fused.weights.data(),
            run.output + image * fused.out_pixels * fused.out_channels, run.sums, scratch);
      }
      break;
    case Operation::kAdd:
      return fused.integers ? add_steps(run.a, run.b, fused.integers->add, pixels, run.output)
                            : add_views(run.a, run.b, pixels, run.output);
    case Operation::kMean:
      for (int image = 0; image < run.count; ++image) {
        const ActivationView input = run.a.from_pixel(image * fused.in_pixels);
        float* const output = run.output + std::int64_t{image} * fused.out_channels;
        fused.integers ? mean_steps(input, fused.in_pixels, fused.integers->zero_point, output)
                       : mean_pixels(input, fused.in_pixels, output);
      }
      return;
    case Operation::kFunction:
      return fused.integers ? look_up_steps(fused.integers->table, run.a, pixels, run.output)
                            : apply_function(fused.function, run.a, pixels, run.output);
    case Operation::kScale:
      for (int image = 0; image < run.count; ++image) {
        const ActivationView map = run.a.from_pixel(image * fused.in_pixels);
        const ActivationView factors = run.b.from_pixel(image);
        float* const output = run.output + image * fused.out_pixels * fused.out_channels;
        fused.integers
            ? scale_steps(map, factors, fused.integers->add.output, fused.in_pixels, output)
            : scale_pixels(map, factors, fused.in_pixels, output);
      }
      return;
  }
  if (fused.integers) {
    requantise_pixels(fused.integers->requantisation, pixels, fused.out_channels, run.output);
  }
}

}  // namespace patchnas::kernels
