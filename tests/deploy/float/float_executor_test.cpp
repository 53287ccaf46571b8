#include "deploy/float/float_executor.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "arch/operator_table.h"
#include "deploy/float/calibration_run.h"
#include "tests/deploy/support/random_float.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

using ::testing::HasSubstr;

// One element of a layer's output, each by itself, from the layer's definition.
class Definition {
 public:
  Definition(const FloatNetwork& network, int layer, const FloatTensors& tensors)
      : layer_(network.network.layers[static_cast<std::size_t>(layer)]),
        own_(network.layers[static_cast<std::size_t>(layer)]),
        shape_(network.network.shape(layer_.inputs[0])),
        in_(tensors[static_cast<std::size_t>(layer_.inputs[0])]) {
    if (layer_.inputs[1] != kNoTensor) {
      second_ = &tensors[static_cast<std::size_t>(layer_.inputs[1])];
    }
  }

  [[nodiscard]] double activated(int row, int col, int channel) const {
    const double x = value(row, col, channel);
    switch (layer_.activation) {
      case Activation::kRelu:
        return std::max(x, 0.0);
      case Activation::kRelu6:
        return std::clamp(x, 0.0, 6.0);
      case Activation::kReluN1To1:
        return std::clamp(x, -1.0, 1.0);
      default:
        return x;
    }
  }

 private:
  [[nodiscard]] double at(int row, int col, int channel) const {
    return in_[static_cast<std::size_t>((row * shape_.width + col) * shape_.channels + channel)];
  }
  [[nodiscard]] bool is_inside(int row, int col) const {
    return row >= 0 && row < shape_.height && col >= 0 && col < shape_.width;
  }

  [[nodiscard]] double value(int row, int col, int channel) const {
    const auto index = static_cast<std::size_t>(
        (row * layer_.output.width + col) * layer_.output.channels + channel);
    switch (layer_.kind) {
      case LayerKind::kConv2d:
      case LayerKind::kDepthwiseConv2d:
      case LayerKind::kFullyConnected:
        return normalised(weighted(row, col, channel), static_cast<std::size_t>(channel));
      case LayerKind::kAveragePool:
      case LayerKind::kMean:
      case LayerKind::kMaxPool:
        return pooled(row, col, channel);
      case LayerKind::kSoftmax: {
        double sum = 0;
        for (int c = 0; c < shape_.channels; ++c) {
          sum += std::exp(at(row, col, c) - at(row, col, channel));
        }
        return 1 / sum;
      }
      case LayerKind::kAdd:
        return in_[index] + double{second(index, channel)};
      case LayerKind::kSubtract:
        return (own_.constants_come_first ? -1 : 1) * (in_[index] - double{second(index, channel)});
      case LayerKind::kMultiply:
        return in_[index] * double{second(index, channel)};
      case LayerKind::kPrelu:
        return in_[index] >= 0 ? in_[index] : in_[index] * double{second(index, channel)};
      case LayerKind::kMaximum:
        return std::max(in_[index], second(index, channel));
      case LayerKind::kMinimum:
        return std::min(in_[index], second(index, channel));
      case LayerKind::kSquaredDifference:
        return std::pow(in_[index] - double{second(index, channel)}, 2);
      case LayerKind::kTransposeConv:
        return normalised(gathered(row, col, channel), static_cast<std::size_t>(channel));
      case LayerKind::kLookup:
        return function(in_[index]);
      case LayerKind::kResize:
        return resized(row, col, channel);
      case LayerKind::kCopyChannels: {
        const ChannelRange& r = layer_.channels;
        return channel >= r.to && channel < r.to + r.count ? at(row, col, channel - r.to + r.from)
                                                           : rest(index);
      }
      case LayerKind::kCopy:
        return copied(static_cast<int>(index));
      case LayerKind::kPad: {
        const int y = row - layer_.kernel.pad_top;
        const int x = col - layer_.kernel.pad_left;
        return y >= 0 && y < shape_.height && x >= 0 && x < shape_.width ? at(y, x, channel)
                                                                         : own_.fill;
      }
      case LayerKind::kInput:
        break;
    }
    return 0;
  }

  [[nodiscard]] float second(std::size_t index, int channel) const {
    return second_ != nullptr
               ? (*second_)[layer_.repeats_second ? static_cast<std::size_t>(channel) : index]
               : own_.constants[layer_.has_constant_map ? index
                                                        : static_cast<std::size_t>(channel)];
  }
  [[nodiscard]] double rest(std::size_t index) const {
    return second_ != nullptr        ? (*second_)[index]
           : layer_.has_constant_map ? own_.constants[index]
                                     : own_.fill;
  }

  [[nodiscard]] double weighted(int row, int col, int channel) const {
    double sum = 0;
    if (layer_.kind == LayerKind::kFullyConnected) {
      for (std::size_t i = 0; i < in_.size(); ++i) {
        sum += double{in_[i]} * own_.weights[static_cast<std::size_t>(channel) * in_.size() + i];
      }
      return sum;
    }
    const bool depthwise = layer_.kind == LayerKind::kDepthwiseConv2d;
    const Kernel& k = layer_.kernel;
    const int depth = depthwise ? 1 : shape_.channels / layer_.groups;
    const int first =
        depthwise ? channel : channel / (layer_.output.channels / layer_.groups) * depth;
    for (int y = 0; y < k.height; ++y) {
      for (int x = 0; x < k.width; ++x) {
        const int r = row * k.stride_h - k.pad_top + y * k.dilation_h;
        const int c = col * k.stride_w - k.pad_left + x * k.dilation_w;
        for (int i = 0; is_inside(r, c) && i < depth; ++i) {
          const int tap = y * k.width + x;
          const int weight = depthwise ? tap * shape_.channels + channel
                                       : (channel * k.height * k.width + tap) * depth + i;
          sum += at(r, c, first + i) * own_.weights[static_cast<std::size_t>(weight)];
        }
      }
    }
    return sum;
  }

  // Of the input pixels whose window this position is in.
  [[nodiscard]] double gathered(int row, int col, int channel) const {
    const Kernel& k = layer_.kernel;
    double sum = 0;
    for (int r = 0; r < shape_.height; ++r) {
      for (int c = 0; c < shape_.width; ++c) {
        const int y = row - r * k.stride_h + k.pad_top;
        const int x = col - c * k.stride_w + k.pad_left;
        for (int i = 0; y >= 0 && y < k.height && x >= 0 && x < k.width && i < shape_.channels;
             ++i) {
          const int weight = ((channel * k.height + y) * k.width + x) * shape_.channels + i;
          sum += at(r, c, i) * own_.weights[static_cast<std::size_t>(weight)];
        }
      }
    }
    return sum;
  }

  [[nodiscard]] double normalised(double x, std::size_t c) const {
    x += own_.bias.empty() ? 0.0F : own_.bias[c];
    if (const auto& n = own_.batch_norm) {
      x = (x - n->mean[c]) / std::sqrt(n->variance[c] + n->epsilon) * n->gamma[c] + n->beta[c];
    }
    return x;
  }

  [[nodiscard]] double pooled(int row, int col, int channel) const {
    const Kernel& k = layer_.kernel;
    std::vector<double> values;
    for (int r = row * k.stride_h - k.pad_top; r < row * k.stride_h - k.pad_top + k.height; ++r) {
      for (int c = col * k.stride_w - k.pad_left; c < col * k.stride_w - k.pad_left + k.width;
           ++c) {
        if (is_inside(r, c)) {
          values.push_back(at(r, c, channel));
        }
      }
    }
    double sum = 0;
    for (const double v : values) {
      sum += v;
    }
    return layer_.kind == LayerKind::kMaxPool ? *std::max_element(values.begin(), values.end())
           : own_.is_sum                      ? sum
                                              : sum / static_cast<double>(values.size());
  }

  [[nodiscard]] double function(double x) const {
    switch (layer_.function) {
      case ValueFunction::kRequantise:
        return x;
      case ValueFunction::kRelu:
        return std::max(x, 0.0);
      case ValueFunction::kRelu6:
        return std::clamp(x, 0.0, 6.0);
      case ValueFunction::kLeakyRelu:
        return x >= 0 ? x : own_.leaky_slope * x;
      case ValueFunction::kLogistic:
        return 1 / (1 + std::exp(-x));
      case ValueFunction::kTanh:
        return (std::exp(x) - std::exp(-x)) / (std::exp(x) + std::exp(-x));
      case ValueFunction::kHardSwish:
        return x * std::clamp(x + 3, 0.0, 6.0) / 6;
      case ValueFunction::kAbs:
        return std::max(x, -x);
      case ValueFunction::kElu:
        return x < 0 ? std::exp(x) - 1 : x;
      case ValueFunction::kRsqrt:
        return std::pow(x, -0.5);
      case ValueFunction::kTable:
        break;  // of int8 values
    }
    return 0;
  }

  // In the input, of a position of the output.
  [[nodiscard]] double position(int at, int from, int to) const {
    const Resizing& rule = layer_.resizing;
    const double scale = rule.align_corners && to > 1 ? (from - 1.0) / (to - 1.0) : 1.0 * from / to;
    return rule.half_pixel_centers ? (at + 0.5) * scale - (rule.is_bilinear ? 0.5 : 0) : at * scale;
  }
  [[nodiscard]] double resized(int row, int col, int channel) const {
    double y = position(row, shape_.height, layer_.output.height);
    double x = position(col, shape_.width, layer_.output.width);
    if (!layer_.resizing.is_bilinear) {
      const auto whole = [&](double p, int extent) {
        // The kernels compute in single precision.
        const float single = static_cast<float>(p) + 1e-5F;
        return std::min(
            static_cast<int>(layer_.resizing.align_corners ? std::round(p) : std::floor(single)),
            extent - 1);
      };
      return at(whole(y, shape_.height), whole(x, shape_.width), channel);
    }
    y = std::clamp(y, 0.0, shape_.height - 1.0);
    x = std::clamp(x, 0.0, shape_.width - 1.0);
    double sum = 0;
    for (int r = 0; r < shape_.height; ++r) {
      for (int c = 0; c < shape_.width; ++c) {
        sum += at(r, c, channel) * std::max(0.0, 1 - std::abs(y - r)) *
               std::max(0.0, 1 - std::abs(x - c));
      }
    }
    return sum;
  }

  [[nodiscard]] double copied(int index) const {
    const StridedCopy& copy = layer_.copy;
    for (int i = 0; i < copy.counts[0]; ++i) {
      for (int j = 0; j < copy.counts[1]; ++j) {
        for (int k = 0; k < copy.counts[2]; ++k) {
          if (copy.to + i * copy.to_strides[0] + j * copy.to_strides[1] + k * copy.to_strides[2] ==
              index) {
            return in_[static_cast<std::size_t>(copy.from + i * copy.from_strides[0] +
                                                j * copy.from_strides[1] +
                                                k * copy.from_strides[2])];
          }
        }
      }
    }
    return rest(static_cast<std::size_t>(index));
  }

  const Layer& layer_;
  const FloatLayer& own_;
  const TensorShape& shape_;
  const std::vector<float>& in_;
  const std::vector<float>* second_ = nullptr;
};

void expect_definition(const FloatNetwork& network, const FloatTensors& tensors) {
  for (int i = network.network.input_count() - 1; i < network.network.layer_count(); ++i) {
    const TensorShape& shape = network.network.layers[static_cast<std::size_t>(i)].output;
    const Definition definition(network, i, tensors);
    std::size_t index = 0;
    for (int row = 0; row < shape.height; ++row) {
      for (int col = 0; col < shape.width; ++col) {
        for (int c = 0; c < shape.channels; ++c, ++index) {
          const double expected = definition.activated(row, col, c);
          ASSERT_NEAR(tensors[static_cast<std::size_t>(i) + 1][index], expected,
                      1e-4 * (1 + std::abs(expected)))
              << "layer " << i << ", "
              << to_string(network.network.layers[static_cast<std::size_t>(i)].kind);
        }
      }
    }
  }
}

// With a softmax behind what is no graph of several outputs.
Network with_softmax(Network network) {
  if (network.outputs.empty()) {
    Layer softmax{.kind = LayerKind::kSoftmax, .output = network.output(), .kernel = {}};
    softmax.inputs = {network.layer_count(), kNoTensor};
    network.layers.push_back(softmax);
  }
  return network;
}

TEST(FloatExecutor, ComputesEveryLayerByItsDefinition) {
  RandomStream stream(41, "float executor");
  std::set<LayerKind> kinds;
  std::set<ValueFunction> functions;
  for (int i = 0; i < 120; ++i) {
    FloatNetwork network = testing::with_sums(
        testing::random_float_network(with_softmax(testing::random_network(stream)), stream));
    for (Layer& layer : network.network.layers) {
      if (layer.activation == Activation::kRelu6 && stream.chance(0.5)) {
        layer.activation = Activation::kReluN1To1;
      }
    }
    const auto sample = testing::random_samples(network.network, 1, -2, 2, stream);
    const FloatTensors tensors = run_float_layers(network, sample);
    ASSERT_EQ(tensors.size(), static_cast<std::size_t>(network.network.tensor_count()));
    expect_definition(network, tensors);
    for (const Layer& layer : network.network.layers) {
      kinds.insert(layer.kind);
      if (layer.kind == LayerKind::kLookup) {
        functions.insert(layer.function);
      }
    }
  }
  EXPECT_EQ(kinds.size(), kOperators.size());
  EXPECT_EQ(functions.size(), 9U);  // all but one over the square root
}

TEST(FloatExecutor, RunsSamplesInAnyThreadAsOneByOne) {
  RandomStream stream(42, "float samples");
  const FloatNetwork network = testing::random_float_network(testing::random_graph(stream), stream);
  const auto samples = testing::random_samples(network.network, 9, -2, 2, stream);
  const FloatExecutor executor(network);
  std::vector<std::vector<float>> outputs(9);
  executor.run_each(samples, [&](int, int sample, const FloatTensors& tensors) {
    outputs[static_cast<std::size_t>(sample)] = outputs_of(network.network, tensors);
  });
  for (int i = 0; i < 9; ++i) {
    EXPECT_EQ(outputs[static_cast<std::size_t>(i)],
              outputs_of(network.network, executor.run(executor.sample(samples, i))));
  }
}

std::string error_of(const FloatNetwork& network, const std::vector<float>& samples) {
  try {
    calibrated_ranges(network, samples, CalibrationRule{});
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(FloatExecutor, SaysWhatIsWrongWithNetworksAndSamples) {
  FloatNetwork network;
  network.network.input = {1, 1, 2};
  network.layers.emplace_back();
  network.network.layers.push_back(
      {.kind = LayerKind::kMultiply, .output = {1, 1, 2}, .kernel = {}});
  EXPECT_THAT(error_of(network, {1, 2}),
              HasSubstr("layer 0 (layer0.multiply): needs one constant per channel"));
  network.layers[0].constants = {3e38F, 1};
  EXPECT_EQ(error_of(network, {1, 2}), "");
  EXPECT_THAT(error_of(network, {}), HasSubstr("samples have 0 numbers"));
  EXPECT_THAT(error_of(network, {1, 2, 3}), HasSubstr("must be a multiple of the 2 that"));
  EXPECT_THAT(error_of(network, {1, 2, 100, 2}),
              HasSubstr("sample 1: layer 0 (layer0.multiply) has a value that is not finite"));
  EXPECT_THAT(error_of(network, {std::nanf(""), 2}), HasSubstr("sample 0: input 0 has a value"));
}

TEST(CalibratedRanges, AreThoseOfTheWholeHistogramOfEachTensor) {
  RandomStream stream(43, "calibration run");
  const FloatNetwork network = testing::random_float_network(testing::random_graph(stream), stream);
  const auto samples = testing::random_samples(network.network, 6, -2, 2, stream);
  const FloatExecutor executor(network);
  FloatTensors all(static_cast<std::size_t>(network.network.tensor_count()));
  for (int i = 0; i < 6; ++i) {
    const FloatTensors tensors = executor.run(executor.sample(samples, i));
    for (std::size_t t = 0; t < all.size(); ++t) {
      all[t].insert(all[t].end(), tensors[t].begin(), tensors[t].end());
    }
  }
  for (const CalibrationMethod method :
       {CalibrationMethod::kMinMax, CalibrationMethod::kPercentile}) {
    const CalibrationRule rule{.method = method, .percentile = 97};
    const std::vector<ValueRange> ranges = calibrated_ranges(network, samples, rule);
    for (std::size_t t = 0; t < all.size(); ++t) {
      ValueHistogram histogram(widened(kNoValues, all[t]));
      histogram.add(all[t]);
      EXPECT_EQ(ranges[t], calibrated_range(histogram, rule));
    }
  }
}

}  // namespace
}  // namespace patchnas
