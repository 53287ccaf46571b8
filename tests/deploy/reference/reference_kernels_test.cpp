#include "deploy/reference/reference_kernels.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "arch/fixed_point.h"
#include "deploy/quantise/requantisation.h"
#include "deploy/reference/reference_executor.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

using testing::random_bytes;
using testing::random_quantised;

int between(RandomStream& stream, int low, int high) {
  return low + static_cast<int>(stream.below(static_cast<std::uint64_t>(high - low + 1)));
}

Network one_layer(const TensorShape& input, const Layer& layer) {
  return {.input = input, .layers = {layer}, .names = {}};
}

// A random window layer over a random input; every kernel from 1 to 7, strides 1 and 2, every
// padding below the kernel.
Network random_window_network(LayerKind kind, RandomStream& stream) {
  const TensorShape input{between(stream, 1, 12), between(stream, 1, 12), between(stream, 1, 19)};
  Layer layer;
  layer.kind = kind;
  layer.activation = static_cast<Activation>(stream.below(3));
  const auto axis = [&](int extent, int& kernel, int& stride, int& pad) {
    kernel = between(stream, 1, 7);
    stride = between(stream, 1, 2);
    pad = between(stream, std::max(0, (kernel - extent + 1) / 2), kernel - 1);
    const int pad_after = between(stream, std::max(0, kernel - extent - pad), kernel - 1);
    return kernel_output_extent(extent, kernel, stride, pad, pad_after);
  };
  Kernel& k = layer.kernel;
  layer.output.height = axis(input.height, k.height, k.stride_h, k.pad_top);
  layer.output.width = axis(input.width, k.width, k.stride_w, k.pad_left);
  layer.output.channels = kind == LayerKind::kConv2d ? between(stream, 1, 19) : input.channels;
  return one_layer(input, layer);
}

// What stands under the kernel's tap (y, x) of an output pixel; the zero point outside the image.
struct Tap {
  bool inside = false;
  std::int32_t value = 0;
};
Tap tap(const QuantizedNetwork& q, const std::vector<std::int8_t>& image, int row, int col, int y,
        int x, int channel) {
  const TensorShape& in = q.network.input;
  const Kernel& k = q.network.layers[0].kernel;
  const int r = row * k.stride_h - k.pad_top + y;
  const int c = col * k.stride_w - k.pad_left + x;
  if (r < 0 || r >= in.height || c < 0 || c >= in.width) {
    return {false, q.tensors[0].zero_point};
  }
  return {true, image[static_cast<std::size_t>((r * in.width + c) * in.channels + channel)]};
}

std::int8_t clamped(const QuantizedNetwork& q, std::int32_t value) {
  return static_cast<std::int8_t>(std::clamp(value, q.layers[0].clamp.min, q.layers[0].clamp.max));
}

// One output of a convolution straight from the definition.
std::int8_t naive_convolution(const QuantizedNetwork& q, const std::vector<std::int8_t>& image,
                              int row, int col, int channel) {
  const Layer& layer = q.network.layers[0];
  const TensorShape& in = q.network.input;
  const bool depthwise = layer.kind == LayerKind::kDepthwiseConv2d;
  std::int32_t sum = q.layers[0].biases[static_cast<std::size_t>(channel)];
  for (int y = 0; y < layer.kernel.height; ++y) {
    for (int x = 0; x < layer.kernel.width; ++x) {
      for (int i = 0; i < (depthwise ? 1 : in.channels); ++i) {
        const int window = y * layer.kernel.width + x;
        const int weight =
            depthwise
                ? window * in.channels + channel
                : (channel * layer.kernel.height * layer.kernel.width + window) * in.channels + i;
        sum += q.layers[0].weights[static_cast<std::size_t>(weight)] *
               (tap(q, image, row, col, y, x, depthwise ? channel : i).value -
                q.tensors[0].zero_point);
      }
    }
  }
  return clamped(q, requantise(sum, q.layers[0].requantisation[static_cast<std::size_t>(channel)]) +
                        q.tensors[1].zero_point);
}

std::int8_t naive_pool(const QuantizedNetwork& q, const std::vector<std::int8_t>& image, int row,
                       int col, int channel) {
  const Layer& layer = q.network.layers[0];
  std::vector<std::int32_t> values;
  for (int y = 0; y < layer.kernel.height; ++y) {
    for (int x = 0; x < layer.kernel.width; ++x) {
      if (const Tap t = tap(q, image, row, col, y, x, channel); t.inside) {
        values.push_back(t.value);
      }
    }
  }
  if (layer.kind == LayerKind::kMaxPool) {
    return clamped(q, *std::max_element(values.begin(), values.end()));
  }
  double sum = 0;
  for (const std::int32_t value : values) {
    sum += value;
  }
  return clamped(q,
                 static_cast<std::int32_t>(std::round(sum / static_cast<double>(values.size()))));
}

class WindowKernel : public ::testing::TestWithParam<LayerKind> {};

TEST_P(WindowKernel, EqualsTheDefinition) {
  RandomStream stream(11, "window kernels");
  for (int i = 0; i < 150; ++i) {
    const QuantizedNetwork q = random_quantised(random_window_network(GetParam(), stream), stream);
    const std::vector<std::int8_t> image = random_bytes(q.network.input.elements(), stream);
    const std::vector<std::int8_t> actual = run_layer_by_layer(q, image);
    const TensorShape& out = q.network.output();
    std::size_t index = 0;
    for (int row = 0; row < out.height; ++row) {
      for (int col = 0; col < out.width; ++col) {
        for (int c = 0; c < out.channels; ++c) {
          const std::int8_t expected = q.network.layers[0].has_weights()
                                           ? naive_convolution(q, image, row, col, c)
                                           : naive_pool(q, image, row, col, c);
          ASSERT_EQ(actual[index++], expected)
              << "network " << i << " at " << row << ", " << col << ", " << c;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllKinds, WindowKernel,
                         ::testing::Values(LayerKind::kConv2d, LayerKind::kDepthwiseConv2d,
                                           LayerKind::kAveragePool, LayerKind::kMaxPool),
                         [](const auto& kind) { return std::string(to_string(kind.param)); });

TEST(InPlaceDepthwise, EqualsTheKernelWithItsOwnOutput) {
  RandomStream stream(12, "in place");
  for (int i = 0; i < 150; ++i) {
    const QuantizedNetwork q =
        random_quantised(random_window_network(LayerKind::kDepthwiseConv2d, stream), stream);
    const TensorShape& in = q.network.input;
    const TensorShape& out = q.network.output();
    const std::vector<std::int8_t> image = random_bytes(in.elements(), stream);
    std::vector<std::int8_t> buffer = image;
    buffer.resize(static_cast<std::size_t>(std::max(in.elements(), out.elements())));
    std::vector<std::int8_t> scratch(static_cast<std::size_t>(in.pixels()));

    convolve_depthwise_in_place(layer_context(q, 0), buffer, full_rect(in), in, full_rect(in),
                                full_rect(out), full_rect(out), scratch);

    buffer.resize(static_cast<std::size_t>(out.elements()));
    EXPECT_EQ(buffer, run_layer_by_layer(q, image)) << "network " << i;
  }
}

TEST(FullyConnectedKernel, EqualsAConvolutionOverTheWholeInput) {
  RandomStream stream(13, "fully connected");
  for (int i = 0; i < 50; ++i) {
    const TensorShape in{between(stream, 1, 4), between(stream, 1, 4), between(stream, 1, 30)};
    Layer layer;
    layer.kind = LayerKind::kFullyConnected;
    layer.output = {1, 1, between(stream, 1, 12)};
    const QuantizedNetwork connected = random_quantised(one_layer(in, layer), stream);
    QuantizedNetwork convolved = connected;
    convolved.network.layers[0].kind = LayerKind::kConv2d;
    convolved.network.layers[0].kernel = {in.height, in.width, 1, 1, 0, 0};
    const std::vector<std::int8_t> image = random_bytes(in.elements(), stream);
    EXPECT_EQ(run_layer_by_layer(connected, image), run_layer_by_layer(convolved, image));
  }
}

TEST(AddKernel, IsWithinOneStepOfTheRealSum) {
  RandomStream stream(14, "add");
  for (int i = 0; i < 50; ++i) {
    // x + pool(x) with a 1x1 pooling: two inputs of the add from one image.
    const TensorShape shape{between(stream, 1, 5), between(stream, 1, 5), between(stream, 1, 9)};
    Network network = one_layer(shape, {.kind = LayerKind::kConv2d, .output = shape, .kernel = {}});
    network.layers.push_back(
        {.kind = LayerKind::kAdd, .inputs = {1, kImage}, .output = shape, .kernel = {}});
    const QuantizedNetwork q = random_quantised(network, stream);
    const auto tensors = run_all_layers(q, random_bytes(shape.elements(), stream));
    for (std::size_t j = 0; j < tensors[2].size(); ++j) {
      const auto real = [&](std::size_t t) {
        return q.tensors[t].scale * (tensors[t][j] - q.tensors[t].zero_point);
      };
      const float steps =
          (real(0) + real(1)) / q.tensors[2].scale + static_cast<float>(q.tensors[2].zero_point);
      EXPECT_NEAR(tensors[2][j], std::clamp(steps, -128.0F, 127.0F), 1.0F);
    }
  }
}

TEST(SoftmaxKernel, IsWithinOneStepOfTheRealSoftmax) {
  RandomStream stream(15, "softmax");
  for (int i = 0; i < 200; ++i) {
    const TensorShape shape{1, between(stream, 1, 2), between(stream, 1, 60)};
    QuantizedNetwork q{
        .network = one_layer(shape, {.kind = LayerKind::kSoftmax, .output = shape, .kernel = {}}),
        .tensors = {{static_cast<float>(std::exp(stream.uniform() * 6 - 5)),
                     between(stream, -128, 127)},
                    kSoftmaxOutput},
        .layers = {{}}};
    q = derive_arithmetic(q);
    const std::vector<std::int8_t> in = random_bytes(shape.elements(), stream);
    const std::vector<std::int8_t> out = run_layer_by_layer(q, in);
    const auto channels = static_cast<std::size_t>(shape.channels);
    for (std::size_t row = 0; row < in.size(); row += channels) {
      double sum = 0;
      for (std::size_t c = 0; c < channels; ++c) {
        sum += std::exp(double{q.tensors[0].scale} * in[row + c]);
      }
      for (std::size_t c = 0; c < channels; ++c) {
        const double probability = std::exp(double{q.tensors[0].scale} * in[row + c]) / sum;
        EXPECT_NEAR(out[row + c], std::min(probability * 256 - 128, 127.0), 1.0);
      }
    }
  }
}

}  // namespace
}  // namespace patchnas
