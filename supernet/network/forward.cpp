#include "supernet/network/forward.h"

#include <algorithm>
#include <array>
#include <utility>

#include <torch/torch.h>

#include "arch/base/error.h"
#include "supernet/network/torch_version.h"

namespace patchnas {
namespace {

struct AxisPads {
  std::int64_t before = 0;
  std::int64_t after = 0;
};

// The same on both sides where that gives as many windows, because the convolution then needs no
// padded copy; otherwise what the last window reaches beyond the input. A stride may also leave a
// rest that no window reads.
AxisPads axis_pads(int input, int output, int kernel, int stride, int before) {
  const int reach = input + 2 * before - kernel;
  if (reach >= 0 && reach / stride + 1 == output) {
    return {before, before};
  }
  return {before, std::max(0, (output - 1) * stride + kernel - input - before)};
}

at::Tensor convolve(const Network& network, const Layer& layer, const LayerTensors& tensors,
                    at::Tensor x) {
  const TensorShape& in = network.shape(layer.inputs[0]);
  const Kernel& k = layer.kernel;
  const AxisPads rows = axis_pads(in.height, layer.output.height, k.height, k.stride_h, k.pad_top);
  const AxisPads cols = axis_pads(in.width, layer.output.width, k.width, k.stride_w, k.pad_left);
  std::array<std::int64_t, 2> padding{rows.before, cols.before};
  if (rows.before != rows.after || cols.before != cols.after) {
    x = at::constant_pad_nd(x, {cols.before, cols.after, rows.before, rows.after});
    padding = {0, 0};
  }
  const std::int64_t groups = layer.kind == LayerKind::kDepthwiseConv2d ? in.channels : 1;
  return at::conv2d(x, tensors.weight, tensors.bias, {k.stride_h, k.stride_w}, padding, {1, 1},
                    groups);
}

at::Tensor normalise(const LayerTensors& tensors, const at::Tensor& x, NormMode mode) {
  const bool batch = mode == NormMode::kBatch;
  return at::batch_norm(x, tensors.gamma, tensors.beta, batch ? at::Tensor{} : tensors.running_mean,
                        batch ? at::Tensor{} : tensors.running_variance, batch, 0.0,
                        kBatchNormEpsilon, true);
}

// In the memory of `x`, which nobody else reads.
at::Tensor activate(Activation activation, at::Tensor x) {
  switch (activation) {
    case Activation::kRelu:
      return at::relu_(x);
    case Activation::kRelu6:
      return patchnas::relu6(std::move(x));
    case Activation::kReluN1To1:
      return at::clamp_(x, -1.0, 1.0);
    case Activation::kNone:
      break;
  }
  return x;
}

[[noreturn]] void fail(const Network& network, int layer, const std::string& what) {
  throw Error("layer " + network.layer_name(layer) + ": " + what +
              " is not an operator of trainable networks");
}

at::Tensor apply(const Network& network, int layer, const at::Tensor& x) {
  switch (network.layers[static_cast<std::size_t>(layer)].function) {
    case ValueFunction::kHardSwish:
      return at::hardswish(x);
    case ValueFunction::kLogistic:
      return at::sigmoid(x);
    default:
      fail(network, layer, "this function of single values");
  }
}

}  // namespace

at::Tensor linear_output(const Network& network, int layer, const LayerTensors& tensors,
                         const at::Tensor& x, const at::Tensor& other) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  switch (l.kind) {
    case LayerKind::kConv2d:
    case LayerKind::kDepthwiseConv2d:
      return convolve(network, l, tensors, x);
    case LayerKind::kAdd:
      return x + other;
    case LayerKind::kMultiply:
      return x * other;
    case LayerKind::kLookup:
      return apply(network, layer, x);
    case LayerKind::kAveragePool:
      if (l.output.pixels() == 1) {
        return x.mean({2, 3}, true);
      }
      break;
    case LayerKind::kFullyConnected:
      // Weights are in the order of a flattened [H, W, C].
      return at::linear(x.permute({0, 2, 3, 1}).flatten(1), tensors.weight, tensors.bias);
    default:
      break;
  }
  fail(network, layer, std::string(to_string(l.kind)));
}

at::Tensor forward(const Network& network, std::span<const LayerTensors> layers, at::Tensor images,
                   NormMode mode, const ForwardObserver& observer) {
  std::vector<at::Tensor> tensors{std::move(images)};
  if (observer.tensor) {
    observer.tensor(kImage, tensors[0]);
  }
  const std::vector<int> last = last_readers(network);
  for (int i = 0; i < network.layer_count(); ++i) {
    const Layer& layer = network.layers[static_cast<std::size_t>(i)];
    const LayerTensors& own = layers[static_cast<std::size_t>(i)];
    const auto input = [&](std::size_t j) {
      return tensors[static_cast<std::size_t>(layer.inputs[j])];
    };
    at::Tensor x = linear_output(network, i, own, input(0),
                                 layer.input_count() == 2 ? input(1) : at::Tensor{});
    if (own.gamma.defined()) {
      if (observer.raw) {
        observer.raw(i, x);
      }
      x = normalise(own, x, mode);
    }
    tensors.push_back(activate(layer.activation, std::move(x)));
    if (observer.tensor) {
      observer.tensor(i + 1, tensors.back());
    }
    for (const TensorId id : layer.inputs) {
      if (id != kNoTensor && last[static_cast<std::size_t>(id)] == i) {
        tensors[static_cast<std::size_t>(id)].reset();
      }
    }
  }
  return tensors.back();
}

}  // namespace patchnas
