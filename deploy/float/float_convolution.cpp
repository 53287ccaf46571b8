// Layers with weights. Convolutions are products of matrices: a few pixels' values, gathered side
// by side, with a few channels' weights, whose sums stay in registers.

#include <algorithm>
#include <cmath>

#include "deploy/float/float_layers.h"

namespace patchnas {
namespace {

constexpr std::size_t kPixels = 4;  // gathered at a time
constexpr std::size_t kLanes = 4;   // output channels at a time

// Bias and batch norm of one channel's sum.
float finished(double sum, const FloatLayer& own, std::size_t c) {
  double value = sum + (own.bias.empty() ? 0.0 : double{own.bias[c]});
  if (const auto& norm = own.batch_norm) {
    value =
        norm->gamma[c] * (value - norm->mean[c]) / std::sqrt(norm->variance[c] + norm->epsilon) +
        norm->beta[c];
  }
  return static_cast<float>(value);
}

// Calls visit(row, col, tap) for the taps of one output position that lie in the input.
template <typename Visit>
void for_each_tap(const Layer& layer, const TensorShape& in, int out_row, int out_col,
                  const Visit& visit) {
  const Kernel& k = layer.kernel;
  for (int y = 0; y < k.height; ++y) {
    const int row = out_row * k.stride_h - k.pad_top + y * k.dilation_h;
    for (int x = 0; x < k.width; ++x) {
      const int col = out_col * k.stride_w - k.pad_left + x * k.dilation_w;
      if (row >= 0 && row < in.height && col >= 0 && col < in.width) {
        visit(row, col, static_cast<std::size_t>(y * k.width + x));
      }
    }
  }
}

// [kPixels, kLanes] sums over `depth` values of each pixel, weights [depth, kLanes].
using Sums = std::array<std::array<double, kLanes>, kPixels>;
Sums multiply(const double* values, const double* weights, std::size_t depth) {
  Sums sums{};
  for (std::size_t i = 0; i < depth; ++i) {
    for (std::size_t p = 0; p < kPixels; ++p) {
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        sums[p][lane] += values[p * depth + i] * weights[i * kLanes + lane];
      }
    }
  }
  return sums;
}

// A fully connected layer is a convolution of one pixel that has all values of the input.
class Convolution : public FloatLayerRun {
 public:
  Convolution(const Layer& layer, const FloatLayer& own, const TensorShape& input)
      : layer_(layer),
        own_(own),
        is_dense_(layer.kind == LayerKind::kFullyConnected),
        groups_(static_cast<std::size_t>(layer.groups)),
        group_inputs_(static_cast<std::size_t>(is_dense_ ? input.elements() : input.channels) /
                      groups_),
        group_outputs_(static_cast<std::size_t>(layer.output.channels) / groups_),
        depth_(own.weights.size() / static_cast<std::size_t>(layer.output.channels)),
        blocks_((group_outputs_ + kLanes - 1) / kLanes),
        weights_(groups_ * blocks_ * depth_ * kLanes) {
    for (std::size_t i = 0; i < own.weights.size(); ++i) {
      const std::size_t out = i / depth_;
      const std::size_t in_group = out % group_outputs_;
      const std::size_t block = out / group_outputs_ * blocks_ + in_group / kLanes;
      weights_[(block * depth_ + i % depth_) * kLanes + in_group % kLanes] = own.weights[i];
    }
  }

  void run(const FloatInputs& inputs, std::span<float> output) const override {
    const auto pixels = static_cast<std::size_t>(layer_.output.pixels());
    std::vector<double> values(kPixels * depth_);
    for (std::size_t first = 0; first < pixels; first += kPixels) {
      const std::size_t count = std::min(kPixels, pixels - first);
      for (std::size_t group = 0; group < groups_; ++group) {
        for (std::size_t p = 0; p < count; ++p) {
          gather(inputs[0], first + p, group, values.data() + p * depth_);
        }
        for (std::size_t block = 0; block < blocks_; ++block) {
          const Sums sums = multiply(
              values.data(), weights_.data() + (group * blocks_ + block) * depth_ * kLanes, depth_);
          finish(sums, first, count, group, block, output);
        }
      }
    }
  }

 private:
  // What one output position of a group is computed from, taps outside the input being zero.
  void gather(const FloatInput& in, std::size_t pixel, std::size_t group, double* values) const {
    if (is_dense_) {
      std::copy(in.values.begin(), in.values.end(), values);
      return;
    }
    std::fill_n(values, depth_, 0.0);
    const auto width = static_cast<std::size_t>(layer_.output.width);
    for_each_tap(layer_, in.shape, static_cast<int>(pixel / width), static_cast<int>(pixel % width),
                 [&](int row, int col, std::size_t tap) {
                   std::copy_n(in.pixel(row, col) + group * group_inputs_, group_inputs_,
                               values + tap * group_inputs_);
                 });
  }

  void finish(const Sums& sums, std::size_t first, std::size_t count, std::size_t group,
              std::size_t block, std::span<float> output) const {
    const auto channels = static_cast<std::size_t>(layer_.output.channels);
    const std::size_t lanes = std::min(kLanes, group_outputs_ - block * kLanes);
    for (std::size_t p = 0; p < count; ++p) {
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        const std::size_t c = group * group_outputs_ + block * kLanes + lane;
        output[(first + p) * channels + c] = finished(sums[p][lane], own_, c);
      }
    }
  }

  const Layer& layer_;
  const FloatLayer& own_;
  bool is_dense_;
  std::size_t groups_;
  std::size_t group_inputs_;
  std::size_t group_outputs_;
  std::size_t depth_;            // values that an output is a sum of
  std::size_t blocks_;           // of kLanes channels in a group
  std::vector<double> weights_;  // [groups, blocks, depth, kLanes]
};

class Depthwise : public FloatLayerRun {
 public:
  Depthwise(const Layer& layer, const FloatLayer& own) : layer_(layer), own_(own) {}

  void run(const FloatInputs& inputs, std::span<float> output) const override {
    const auto channels = static_cast<std::size_t>(layer_.output.channels);
    std::vector<double> sums(channels);
    float* out = output.data();
    for (int row = 0; row < layer_.output.height; ++row) {
      for (int col = 0; col < layer_.output.width; ++col, out += channels) {
        std::fill(sums.begin(), sums.end(), 0.0);
        for_each_tap(layer_, inputs[0].shape, row, col, [&](int y, int x, std::size_t tap) {
          const float* const pixel = inputs[0].pixel(y, x);
          const float* const weights = own_.weights.data() + tap * channels;
          for (std::size_t c = 0; c < channels; ++c) {
            sums[c] += double{pixel[c]} * double{weights[c]};
          }
        });
        for (std::size_t c = 0; c < channels; ++c) {
          out[c] = finished(sums[c], own_, c);
        }
      }
    }
  }

 private:
  const Layer& layer_;
  const FloatLayer& own_;
};

// Every input pixel adds its products to the window of the output that a convolution from there to
// here would read.
class TransposedConvolution : public FloatLayerRun {
 public:
  TransposedConvolution(const Layer& layer, const FloatLayer& own) : layer_(layer), own_(own) {}

  void run(const FloatInputs& inputs, std::span<float> output) const override {
    const FloatInput& in = inputs[0];
    const auto channels = static_cast<std::size_t>(layer_.output.channels);
    std::vector<double> sums(output.size());
    Layer convolution = layer_;
    convolution.output = in.shape;
    for (int row = 0; row < in.shape.height; ++row) {
      for (int col = 0; col < in.shape.width; ++col) {
        for_each_tap(convolution, layer_.output, row, col, [&](int y, int x, std::size_t tap) {
          add(in.pixel(row, col), in.shape.channels, tap,
              sums.data() + (std::ptrdiff_t{y} * layer_.output.width + x) * layer_.output.channels);
        });
      }
    }
    for (std::size_t i = 0; i < output.size(); ++i) {
      output[i] = finished(sums[i], own_, i % channels);
    }
  }

 private:
  void add(const float* pixel, int inputs, std::size_t tap, double* sums) const {
    const auto depth = static_cast<std::size_t>(inputs);
    const auto taps = static_cast<std::size_t>(layer_.kernel.height * layer_.kernel.width);
    for (std::size_t o = 0; o < static_cast<std::size_t>(layer_.output.channels); ++o) {
      const float* const weights = own_.weights.data() + (o * taps + tap) * depth;
      for (std::size_t c = 0; c < depth; ++c) {
        sums[o] += double{pixel[c]} * double{weights[c]};
      }
    }
  }

  const Layer& layer_;
  const FloatLayer& own_;
};

}  // namespace

std::unique_ptr<FloatLayerRun> make_weighted(const Layer& layer, const FloatLayer& own,
                                             const TensorShape& input) {
  if (layer.kind == LayerKind::kDepthwiseConv2d) {
    return std::make_unique<Depthwise>(layer, own);
  }
  if (layer.kind == LayerKind::kTransposeConv) {
    return std::make_unique<TransposedConvolution>(layer, own);
  }
  return std::make_unique<Convolution>(layer, own, input);
}

}  // namespace patchnas
