#include "tests/deploy/support/float_reference.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace patchnas::testing {
namespace {

std::vector<float> uniform(std::int64_t count, double low, double high, RandomStream& stream) {
  std::vector<float> values(static_cast<std::size_t>(count));
  std::generate(values.begin(), values.end(),
                [&] { return static_cast<float>(low + (high - low) * stream.uniform()); });
  return values;
}

float activate(float value, Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return value;
    case Activation::kRelu:
      return std::max(value, 0.0F);
    case Activation::kRelu6:
      return std::clamp(value, 0.0F, 6.0F);
  }
  return value;
}

class LayerRun {
 public:
  LayerRun(const FloatNetwork& network, int index, const std::vector<std::vector<float>>& tensors)
      : layer_(network.network.layers[static_cast<std::size_t>(index)]),
        parameters_(network.layers[static_cast<std::size_t>(index)]),
        in_shape_(network.network.shape(layer_.inputs[0])),
        in_(tensors[static_cast<std::size_t>(layer_.inputs[0])]),
        second_(layer_.kind == LayerKind::kAdd ? tensors[static_cast<std::size_t>(layer_.inputs[1])]
                                               : in_) {}

  std::vector<float> run() const {
    std::vector<float> out;
    for (int row = 0; row < layer_.output.height; ++row) {
      for (int col = 0; col < layer_.output.width; ++col) {
        for (int c = 0; c < layer_.output.channels; ++c) {
          out.push_back(activate(value(row, col, c, out.size()), layer_.activation));
        }
      }
    }
    return out;
  }

 private:
  [[nodiscard]] float value(int row, int col, int channel, std::size_t index) const {
    switch (layer_.kind) {
      case LayerKind::kAdd:
        return in_[index] + second_[index];
      case LayerKind::kFullyConnected:
        return normalise(connected(channel), channel);
      case LayerKind::kSoftmax:
        return softmax(index);
      default:
        return layer_.has_weights() ? normalise(window(row, col, channel), channel)
                                    : window(row, col, channel);
    }
  }

  [[nodiscard]] double connected(int channel) const {
    double sum = 0;
    for (std::size_t i = 0; i < in_.size(); ++i) {
      sum +=
          double{in_[i]} * parameters_.weights[static_cast<std::size_t>(channel) * in_.size() + i];
    }
    return sum;
  }

  [[nodiscard]] float softmax(std::size_t index) const {
    double sum = 0;
    for (const float x : in_) {
      sum += std::exp(double{x});
    }
    return static_cast<float>(std::exp(double{in_[index]}) / sum);
  }

  [[nodiscard]] float window(int row, int col, int channel) const {
    double sum = 0;
    float largest = std::numeric_limits<float>::lowest();
    int count = 0;
    for (int y = 0; y < layer_.kernel.height; ++y) {
      for (int x = 0; x < layer_.kernel.width; ++x) {
        const int r = row * layer_.kernel.stride_h - layer_.kernel.pad_top + y;
        const int c = col * layer_.kernel.stride_w - layer_.kernel.pad_left + x;
        if (r < 0 || r >= in_shape_.height || c < 0 || c >= in_shape_.width) {
          continue;
        }
        const float* const pixel = in_.data() + (r * in_shape_.width + c) * in_shape_.channels;
        const int tap = y * layer_.kernel.width + x;
        sum += products(pixel, tap, channel);
        largest = std::max(largest, pixel[layer_.kind == LayerKind::kMaxPool ? channel : 0]);
        ++count;
      }
    }
    if (layer_.kind == LayerKind::kMaxPool) {
      return largest;
    }
    return static_cast<float>(
        layer_.kind == LayerKind::kAveragePool || layer_.kind == LayerKind::kMean ? sum / count
                                                                                  : sum);
  }

  [[nodiscard]] double products(const float* pixel, int tap, int channel) const {
    const int taps = layer_.kernel.height * layer_.kernel.width;
    double sum = 0;
    switch (layer_.kind) {
      case LayerKind::kConv2d:
        for (int i = 0; i < in_shape_.channels; ++i) {
          const int weight = (channel * taps + tap) * in_shape_.channels + i;
          sum += double{pixel[i]} * parameters_.weights[static_cast<std::size_t>(weight)];
        }
        return sum;
      case LayerKind::kDepthwiseConv2d:
        return double{pixel[channel]} *
               parameters_.weights[static_cast<std::size_t>(tap * in_shape_.channels + channel)];
      default:
        return pixel[channel];
    }
  }

  [[nodiscard]] float normalise(double sum, int channel) const {
    const auto c = static_cast<std::size_t>(channel);
    double value = sum + (parameters_.bias.empty() ? 0.0 : double{parameters_.bias[c]});
    if (const auto& norm = parameters_.batch_norm) {
      value =
          norm->gamma[c] * (value - norm->mean[c]) / std::sqrt(norm->variance[c] + norm->epsilon) +
          norm->beta[c];
    }
    return static_cast<float>(value);
  }

  const Layer& layer_;
  const FloatLayer& parameters_;
  const TensorShape& in_shape_;
  const std::vector<float>& in_;
  const std::vector<float>& second_;
};

}  // namespace

FloatNetwork random_float_network(const Network& network, RandomStream& stream) {
  FloatNetwork result{.network = network, .layers = {}};
  for (int index = 0; index < network.layer_count(); ++index) {
    FloatLayer layer;
    const std::int64_t channels = bias_count(network, index);
    if (channels > 0) {
      const double terms =
          static_cast<double>(weight_count(network, index)) / static_cast<double>(channels);
      const double spread = std::sqrt(3.0 / terms);  // unit variance of the sum
      layer.weights = uniform(weight_count(network, index), -spread, spread, stream);
      if (stream.chance(0.5)) {
        layer.bias = uniform(channels, -0.5, 0.5, stream);
      }
      if (stream.chance(0.8)) {
        layer.batch_norm = BatchNorm{.gamma = uniform(channels, 0.5, 1.5, stream),
                                     .beta = uniform(channels, -0.5, 1.0, stream),
                                     .mean = uniform(channels, -0.3, 0.3, stream),
                                     .variance = uniform(channels, 0.3, 1.2, stream)};
      }
    }
    result.layers.push_back(std::move(layer));
  }
  return result;
}

std::vector<std::vector<float>> run_float(const FloatNetwork& network,
                                          const std::vector<float>& image) {
  std::vector<std::vector<float>> tensors{image};
  for (int index = 0; index < network.network.layer_count(); ++index) {
    tensors.push_back(LayerRun(network, index, tensors).run());
  }
  return tensors;
}

std::vector<ValueRange> value_ranges(const std::vector<std::vector<std::vector<float>>>& runs) {
  std::vector<ValueRange> ranges(runs.front().size(), {std::numeric_limits<float>::max(),
                                                       std::numeric_limits<float>::lowest()});
  for (const auto& tensors : runs) {
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      const auto [min, max] = std::minmax_element(tensors[t].begin(), tensors[t].end());
      ranges[t] = {std::min(ranges[t].min, *min), std::max(ranges[t].max, *max)};
    }
  }
  return ranges;
}

}  // namespace patchnas::testing
