#include "tests/deploy/onnx/layer_definitions.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "arch/resize_samples.h"
#include "deploy/quantise/fold_batch_norm.h"

namespace patchnas::testing {
namespace {

using Tensor = std::vector<float>;

double value_of(ValueFunction function, double x, double slope) {
  switch (function) {
    case ValueFunction::kRelu:
      return std::max(x, 0.0);
    case ValueFunction::kRelu6:
      return std::clamp(x, 0.0, 6.0);
    case ValueFunction::kLeakyRelu:
      return x < 0 ? slope * x : x;
    case ValueFunction::kLogistic:
      return 1 / (1 + std::exp(-x));
    case ValueFunction::kTanh:
      return std::tanh(x);
    case ValueFunction::kHardSwish:
      return x * std::clamp(x / 6 + 0.5, 0.0, 1.0);
    default:
      return x;
  }
}

class LayerRun {
 public:
  LayerRun(const FloatNetwork& network, int index, const std::vector<Tensor>& tensors)
      : network_(network.network),
        layer_(network_.layers[static_cast<std::size_t>(index)]),
        numbers_(network.layers[static_cast<std::size_t>(index)]),
        from_(network_.shape(layer_.inputs[0])),
        in_(tensors[static_cast<std::size_t>(layer_.inputs[0])]),
        second_(layer_.inputs[1] == kNoTensor
                    ? nullptr
                    : &tensors[static_cast<std::size_t>(layer_.inputs[1])]) {}

  [[nodiscard]] Tensor run() const {
    Tensor out(static_cast<std::size_t>(layer_.output.elements()), numbers_.fill);
    if (second_ != nullptr &&
        (layer_.kind == LayerKind::kCopy || layer_.kind == LayerKind::kCopyChannels)) {
      out = *second_;
    }
    if (layer_.kind == LayerKind::kCopy) {
      copy(out);
      return out;
    }
    std::size_t i = 0;
    for (int row = 0; row < layer_.output.height; ++row) {
      for (int col = 0; col < layer_.output.width; ++col) {
        for (int c = 0; c < layer_.output.channels; ++c, ++i) {
          const double x = value(row, col, c, i, out);
          out[i] =
              static_cast<float>(layer_.activation == Activation::kNone    ? x
                                 : layer_.activation == Activation::kRelu6 ? std::clamp(x, 0.0, 6.0)
                                                                           : std::max(x, 0.0));
        }
      }
    }
    return out;
  }

 private:
  void copy(Tensor& out) const {
    const StridedCopy& c = layer_.copy;
    for (int i = 0; i < c.counts[0]; ++i) {
      for (int j = 0; j < c.counts[1]; ++j) {
        for (int k = 0; k < c.counts[2]; ++k) {
          const auto place = [&](int begin, const std::array<int, 3>& strides) {
            return static_cast<std::size_t>(begin + i * strides[0] + j * strides[1] +
                                            k * strides[2]);
          };
          out.at(place(c.to, c.to_strides)) = in_.at(place(c.from, c.from_strides));
        }
      }
    }
  }

  [[nodiscard]] double pixel(int row, int col, int channel) const {
    return in_.at(static_cast<std::size_t>((row * from_.width + col) * from_.channels + channel));
  }

  [[nodiscard]] double value(int row, int col, int c, std::size_t i, const Tensor& out) const {
    switch (layer_.kind) {
      case LayerKind::kAdd:
      case LayerKind::kSubtract:
      case LayerKind::kMultiply:
        return combined(c, i);
      case LayerKind::kFullyConnected: {
        double sum = bias(c);
        for (std::size_t k = 0; k < in_.size(); ++k) {
          sum += double{in_[k]} * numbers_.weights[static_cast<std::size_t>(c) * in_.size() + k];
        }
        return sum;
      }
      case LayerKind::kSoftmax: {
        double sum = 0;
        for (int k = 0; k < from_.channels; ++k) {
          sum += std::exp(pixel(row, col, k));
        }
        return std::exp(double{in_[i]}) / sum;
      }
      case LayerKind::kLookup:
        return value_of(layer_.function, in_[i], numbers_.leaky_slope);
      case LayerKind::kResize:
        return resized(row, col, c);
      case LayerKind::kCopyChannels: {
        const int from = c - layer_.channels.to + layer_.channels.from;
        return c >= layer_.channels.to && c < layer_.channels.to + layer_.channels.count
                   ? pixel(row, col, from)
                   : double{out[i]};
      }
      default:
        return window(row, col, c);
    }
  }

  [[nodiscard]] double combined(int c, std::size_t i) const {
    double a = in_[i];
    double b =
        second_ != nullptr ? (*second_)[i] : numbers_.constants.at(static_cast<std::size_t>(c));
    if (second_ == nullptr && numbers_.constants_come_first) {
      std::swap(a, b);
    }
    return layer_.kind == LayerKind::kAdd        ? a + b
           : layer_.kind == LayerKind::kSubtract ? a - b
                                                 : a * b;
  }

  [[nodiscard]] double resized(int row, int col, int c) const {
    const ResizeSample r = resize_samples(layer_.resizing, from_.height,
                                          layer_.output.height)[static_cast<std::size_t>(row)];
    const ResizeSample s = resize_samples(layer_.resizing, from_.width,
                                          layer_.output.width)[static_cast<std::size_t>(col)];
    const double down = double{static_cast<double>(r.part)} / kResizeParts;
    const double right = double{static_cast<double>(s.part)} / kResizeParts;
    return (1 - down) *
               ((1 - right) * pixel(r.first, s.first, c) + right * pixel(r.first, s.second, c)) +
           down *
               ((1 - right) * pixel(r.second, s.first, c) + right * pixel(r.second, s.second, c));
  }

  [[nodiscard]] double bias(int c) const {
    return numbers_.bias.empty() ? 0 : numbers_.bias[static_cast<std::size_t>(c)];
  }

  [[nodiscard]] double window(int row, int col, int c) const {
    const Kernel& k = layer_.kernel;
    double sum = bias(c);
    double largest = std::numeric_limits<double>::lowest();
    int count = 0;
    for (int y = 0; y < k.height; ++y) {
      for (int x = 0; x < k.width; ++x) {
        const int r = row * k.stride_h - k.pad_top + y * k.dilation_h;
        const int s = col * k.stride_w - k.pad_left + x * k.dilation_w;
        if (r >= 0 && r < from_.height && s >= 0 && s < from_.width) {
          sum += products(r, s, c, y * k.width + x);
          largest = std::max(largest, pixel(r, s, layer_.has_weights() ? 0 : c));
          ++count;
        }
      }
    }
    return layer_.kind == LayerKind::kMaxPool ? largest : layer_.has_weights() ? sum : sum / count;
  }

  [[nodiscard]] double products(int row, int col, int c, int tap) const {
    const int taps = layer_.kernel.height * layer_.kernel.width;
    if (layer_.kind == LayerKind::kDepthwiseConv2d) {
      return pixel(row, col, c) *
             numbers_.weights.at(static_cast<std::size_t>(tap * from_.channels + c));
    }
    if (layer_.kind != LayerKind::kConv2d) {
      return pixel(row, col, c);
    }
    const int per_group = from_.channels / layer_.groups;
    const int first = c / (layer_.output.channels / layer_.groups) * per_group;
    double sum = 0;
    for (int i = 0; i < per_group; ++i) {
      sum += pixel(row, col, first + i) *
             numbers_.weights.at(static_cast<std::size_t>((c * taps + tap) * per_group + i));
    }
    return sum;
  }

  const Network& network_;
  const Layer& layer_;
  const FloatLayer& numbers_;
  const TensorShape& from_;
  const Tensor& in_;
  const Tensor* second_;
};

}  // namespace

std::vector<float> outputs_of(const FloatNetwork& original, const std::vector<float>& inputs) {
  const FloatNetwork network = fold_batch_norm(original);
  std::vector<Tensor> tensors;
  auto next = inputs.begin();
  const auto take = [&](TensorId tensor) {
    const auto begin = next;
    next += network.network.shape(tensor).elements();
    tensors.emplace_back(begin, next);
  };
  take(kImage);
  for (int i = 0; i < network.network.layer_count(); ++i) {
    if (network.network.layers[static_cast<std::size_t>(i)].kind == LayerKind::kInput) {
      take(i + 1);
    } else {
      tensors.push_back(LayerRun(network, i, tensors).run());
    }
  }
  std::vector<float> result;
  for (const TensorId output : network.network.output_tensors()) {
    const Tensor& tensor = tensors[static_cast<std::size_t>(output)];
    result.insert(result.end(), tensor.begin(), tensor.end());
  }
  return result;
}

}  // namespace patchnas::testing
