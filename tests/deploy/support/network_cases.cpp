#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "arch/arch.h"
#include "arch/kernel_padding.h"
#include "deploy/float/calibration_run.h"
#include "deploy/quantise/quantise.h"
#include "tests/deploy/support/random_float.h"
#include "tests/deploy/support/recorded_cases.h"
#include "tests/support/random_networks.h"

namespace patchnas::testing {
namespace {

enum class WindowPlacement { kSame, kValid };

// Layers, each behind the last one unless told otherwise.
class Chain {
 public:
  explicit Chain(const TensorShape& input) : network_{.input = input, .layers = {}, .names = {}} {}
  explicit Chain(Network network) : network_(std::move(network)) {}

  [[nodiscard]] TensorId last() const { return network_.layer_count(); }
  [[nodiscard]] const Network& network() const { return network_; }

  Chain& window(LayerKind kind, int channels, std::array<int, 2> size, int stride,
                Activation activation, WindowPlacement placement = WindowPlacement::kSame) {
    return window_of(last(), kind, channels, size, stride, activation, placement);
  }
  Chain& window_of(TensorId input, LayerKind kind, int channels, std::array<int, 2> size,
                   int stride, Activation activation,
                   WindowPlacement placement = WindowPlacement::kSame) {
    const TensorShape in = network_.shape(input);
    const auto [rows, top] = axis(in.height, size[0], stride, placement);
    const auto [cols, left] = axis(in.width, size[1], stride, placement);
    Layer layer;
    layer.kind = kind;
    layer.inputs = {input, kNoTensor};
    layer.output = {rows, cols, channels};
    layer.kernel = {size[0], size[1], stride, stride, top, left};
    layer.activation = activation;
    network_.layers.push_back(layer);
    return *this;
  }
  Chain& conv(int channels, int size, int stride, Activation activation) {
    return window(LayerKind::kConv2d, channels, {size, size}, stride, activation);
  }
  Chain& depthwise(int size, int stride, Activation activation) {
    return window(LayerKind::kDepthwiseConv2d, network_.output().channels, {size, size}, stride,
                  activation);
  }
  Chain& pool(LayerKind kind, std::array<int, 2> size, int stride) {
    return window(kind, network_.output().channels, size, stride, Activation::kNone,
                  WindowPlacement::kValid);
  }
  Chain& pool_all() {
    const TensorShape& in = network_.output();
    return pool(LayerKind::kAveragePool, {in.height, in.width}, 1);
  }
  Chain& mean_of_all() {
    const TensorShape in = network_.output();
    pool(LayerKind::kMean, {in.height, in.width}, 1);
    network_.layers.back().kernel.stride_h = in.height;
    network_.layers.back().kernel.stride_w = in.width;
    return *this;
  }
  Chain& add(TensorId other, Activation activation) {
    return plain(LayerKind::kAdd, {last(), other}, network_.output(), activation);
  }
  Chain& fully_connected(int outputs, Activation activation = Activation::kNone) {
    return plain(LayerKind::kFullyConnected, {last(), kNoTensor}, {1, 1, outputs}, activation);
  }
  Chain& softmax() {
    return plain(LayerKind::kSoftmax, {last(), kNoTensor}, network_.output(), Activation::kNone);
  }

 private:
  static std::pair<int, int> axis(int extent, int kernel, int stride, WindowPlacement placement) {
    if (placement == WindowPlacement::kValid) {
      return {(extent - kernel) / stride + 1, 0};
    }
    const int output = (extent + stride - 1) / stride;
    return {output, std::max(0, (output - 1) * stride + kernel - extent) / 2};
  }
  Chain& plain(LayerKind kind, std::array<TensorId, 2> inputs, const TensorShape& output,
               Activation activation) {
    Layer layer;
    layer.kind = kind;
    layer.inputs = inputs;
    layer.output = output;
    layer.activation = activation;
    network_.layers.push_back(layer);
    return *this;
  }

  Network network_;
};

// The largest network of a space: blocks with and without a residual, strides 1 and 2, kernels 3 to
// 7. On an odd image of symmetric padding, strided layers have PAD operators.
Network inverted_residuals(Padding padding, int resolution) {
  SearchSpace space;
  space.padding = padding;
  space.classes = 10;
  space.resolutions = {resolution};
  space.stem_width = 8;
  space.stages = {
      {.stride = 1, .depths = {1}, .kernel_sizes = {3}, .expand_ratios = {1}, .widths = {6}},
      {.stride = 2, .depths = {2}, .kernel_sizes = {3, 5}, .expand_ratios = {4}, .widths = {10}},
      {.stride = 2, .depths = {2}, .kernel_sizes = {7}, .expand_ratios = {3}, .widths = {13}}};
  space.head_width = 24;
  return Chain(lower(space, largest(space))).softmax().network();
}

// ResNet's blocks: one that adds its input, and strided ones that add a 1x1 convolution of it.
Network residuals() {
  Chain chain(TensorShape{18, 18, 3});
  chain.conv(8, 3, 1, Activation::kRelu);
  TensorId block = chain.last();
  chain.conv(8, 3, 1, Activation::kRelu).conv(8, 3, 1, Activation::kNone);
  chain.add(block, Activation::kRelu);
  for (const int channels : {12, 17}) {
    block = chain.last();
    chain.conv(channels, 3, 2, Activation::kRelu).conv(channels, 3, 1, Activation::kNone);
    const TensorId body = chain.last();
    chain.window_of(block, LayerKind::kConv2d, channels, {1, 1}, 2, Activation::kNone);
    chain.add(body, Activation::kRelu);
  }
  return chain.pool_all().fully_connected(10).softmax().network();
}

// Keyword spotting: one channel, an image and a first kernel that are not square, no residual.
Network separable() {
  Chain chain(TensorShape{25, 10, 1});
  chain.window(LayerKind::kConv2d, 12, {10, 4}, 2, Activation::kRelu);
  for (int i = 0; i < 3; ++i) {
    chain.depthwise(3, 1, Activation::kRelu).conv(12 + i, 1, 1, Activation::kRelu);
  }
  return chain.mean_of_all().fully_connected(12).softmax().network();
}

// Without padding, with maxima, and a classifier of several layers over a map.
Network convolutions_and_maxima() {
  Chain chain(TensorShape{23, 22, 2});
  chain.window(LayerKind::kConv2d, 6, {5, 5}, 1, Activation::kRelu, WindowPlacement::kValid);
  chain.pool(LayerKind::kMaxPool, {2, 2}, 2);
  chain.window(LayerKind::kConv2d, 16, {3, 3}, 1, Activation::kRelu6, WindowPlacement::kValid);
  chain.pool(LayerKind::kAveragePool, {3, 2}, 2);
  return chain.fully_connected(30, Activation::kRelu).fully_connected(20).network();
}

// Down to a map of the image, as for segmentation; the image is read twice.
Network map_of_the_image() {
  Chain chain(TensorShape{16, 21, 3});
  chain.conv(9, 1, 1, Activation::kRelu6).depthwise(5, 1, Activation::kRelu6);
  chain.conv(3, 1, 1, Activation::kNone).add(kImage, Activation::kNone);
  return chain.conv(8, 3, 2, Activation::kRelu).depthwise(3, 1, Activation::kNone).network();
}

// Light that falls off in some direction, and noise: averages tell such images apart.
std::vector<std::int8_t> random_image(const TensorShape& shape, RandomStream& stream) {
  const auto between = [&](double low, double high) {
    return low + (high - low) * stream.uniform();
  };
  const double level = between(-60, 60);
  const double by_row = between(-200, 200) / shape.height;
  const double by_col = between(-200, 200) / shape.width;
  std::vector<std::int8_t> image;
  for (int row = 0; row < shape.height; ++row) {
    for (int col = 0; col < shape.width; ++col) {
      for (int channel = 0; channel < shape.channels; ++channel) {
        const double value = level + by_row * row + by_col * col + between(-40, 40);
        image.push_back(static_cast<std::int8_t>(std::clamp(value, -128.0, 127.0)));
      }
    }
  }
  return image;
}

std::vector<float> real_values(const std::vector<std::int8_t>& image,
                               const PixelNormalisation& pixels) {
  std::vector<float> result;
  for (const std::int8_t stored : image) {
    result.push_back(static_cast<float>((stored + 128 - pixels.mean) / pixels.stddev));
  }
  return result;
}

// A random network that a .tflite file can hold: it knows no pooling padded otherwise than SAME or
// VALID.
Network writable_network(RandomStream& stream) {
  const auto is_writable = [](const Network& network) {
    return std::all_of(network.layers.begin(), network.layers.end(), [&](const Layer& layer) {
      const bool is_pooling =
          layer.kind == LayerKind::kAveragePool || layer.kind == LayerKind::kMaxPool;
      return !is_pooling || kernel_padding(network.shape(layer.inputs[0]), layer).has_value();
    });
  };
  Network network = random_general_network(stream);
  while (!is_writable(network)) {
    network = random_general_network(stream);
  }
  return network;
}

}  // namespace

std::vector<RecordedCase> network_cases() {
  constexpr int kImages = 4;
  constexpr PixelNormalisation kPixels{.mean = 120, .stddev = 60};
  RandomStream stream(91, "network cases");
  std::vector<RecordedCase> cases;
  // Quantised as trained networks are, with ranges measured on these images.
  const auto add = [&](const std::string& name, const Network& network, int recorded_images) {
    const FloatNetwork untrained = random_float_network(network, stream);
    std::vector<std::vector<std::int8_t>> images;
    std::vector<float> samples;
    for (int image = 0; image < kImages; ++image) {
      images.push_back(random_image(network.input, stream));
      const std::vector<float> sample = real_values(images.back(), kPixels);
      samples.insert(samples.end(), sample.begin(), sample.end());
    }
    const QuantizedNetwork quantised = quantise(
        untrained, calibrated_ranges(untrained, samples, CalibrationRule{}), {.pixels = kPixels});
    for (int image = 0; image < recorded_images; ++image) {
      cases.push_back(
          {name + "_" + std::to_string(image), quantised, images[static_cast<std::size_t>(image)]});
    }
  };
  add("inverted_residuals_same", inverted_residuals(Padding::kSame, 20), kImages);
  add("inverted_residuals_symmetric", inverted_residuals(Padding::kSymmetric, 21), kImages);
  add("residuals", residuals(), kImages);
  add("separable", separable(), kImages);
  add("convolutions_and_maxima", convolutions_and_maxima(), kImages);
  add("map_of_the_image", map_of_the_image(), 1);
  for (int i = 0; i < 24; ++i) {
    add("general_" + std::to_string(i), writable_network(stream), 1);
  }
  return cases;
}

}  // namespace patchnas::testing
