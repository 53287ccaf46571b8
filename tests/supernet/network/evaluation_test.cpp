#include "supernet/network/evaluation.h"

#include <cmath>

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "arch/base/error.h"
#include "arch/base/parallel.h"
#include "supernet/data/augmentation.h"
#include "supernet/data/evaluation_images.h"
#include "supernet/network/compute.h"
#include "supernet/network/device.h"
#include "supernet/network/forward.h"
#include "supernet/network/supernet.h"
#include "supernet/network/threads.h"
#include "tests/supernet/network/test_spaces.h"

namespace patchnas {
namespace {

// A network as loops over plain numbers; tensors are [H, W, C].
std::vector<float> naive_layer(const FloatNetwork& net, std::size_t index,
                               const std::vector<float>& x, const std::vector<float>& other) {
  const Layer& layer = net.network.layers[index];
  const FloatLayer& own = net.layers[index];
  const TensorShape in = net.network.shape(layer.inputs[0]);
  const TensorShape out = layer.output;
  std::vector<float> y(static_cast<std::size_t>(out.elements()));
  for (int oy = 0; oy < out.height; ++oy) {
    for (int ox = 0; ox < out.width; ++ox) {
      for (int o = 0; o < out.channels; ++o) {
        double sum = own.bias.empty() ? 0.0 : own.bias[static_cast<std::size_t>(o)];
        for (int ky = 0; ky < layer.kernel.height; ++ky) {
          for (int kx = 0; kx < layer.kernel.width; ++kx) {
            const int iy = oy * layer.kernel.stride_h - layer.kernel.pad_top + ky;
            const int ix = ox * layer.kernel.stride_w - layer.kernel.pad_left + kx;
            if (iy < 0 || iy >= in.height || ix < 0 || ix >= in.width) {
              continue;
            }
            const auto at = [&](int c) {
              return x[static_cast<std::size_t>((iy * in.width + ix) * in.channels + c)];
            };
            const int tap = ky * layer.kernel.width + kx;
            switch (layer.kind) {
              case LayerKind::kConv2d:
              case LayerKind::kFullyConnected:
                for (int c = 0; c < in.channels; ++c) {
                  const int taps = layer.kernel.height * layer.kernel.width;
                  sum += at(c) *
                         own.weights[static_cast<std::size_t>((o * taps + tap) * in.channels + c)];
                }
                break;
              case LayerKind::kDepthwiseConv2d:
                sum += at(o) * own.weights[static_cast<std::size_t>(tap * out.channels + o)];
                break;
              case LayerKind::kAveragePool:
                sum += at(o) / static_cast<double>(in.pixels());
                break;
              case LayerKind::kAdd:
                sum +=
                    at(o) + other[static_cast<std::size_t>((iy * in.width + ix) * in.channels + o)];
                break;
              case LayerKind::kMultiply:
                sum += at(o) * other[static_cast<std::size_t>(o)];
                break;
              case LayerKind::kLookup:
                sum += layer.function == ValueFunction::kHardSwish
                           ? at(o) * std::clamp(at(o) + 3.0, 0.0, 6.0) / 6.0
                           : 1.0 / (1.0 + std::exp(-at(o)));
                break;
              default:
                ADD_FAILURE() << "unexpected layer";
            }
          }
        }
        if (own.batch_norm) {
          const BatchNorm& n = *own.batch_norm;
          const auto c = static_cast<std::size_t>(o);
          sum = n.gamma[c] * (sum - n.mean[c]) / std::sqrt(n.variance[c] + n.epsilon) + n.beta[c];
        }
        if (layer.activation != Activation::kNone) {
          sum = std::clamp(sum, 0.0, layer.activation == Activation::kRelu6 ? 6.0 : 1e30);
        }
        y[static_cast<std::size_t>((oy * out.width + ox) * out.channels + o)] =
            static_cast<float>(sum);
      }
    }
  }
  return y;
}

struct Draws {
  std::string stream = "test/recalibrate";
  Augmentation augmentation = {};
  int workers = 0;
};

class EvaluationTest : public testing::Test {
 protected:
  void SetUp() override { set_threads(1); }
  PixelNormalisation normalisation_{.mean = 100, .stddev = 50.0};
  SearchSpace space_ = test::varied_space(Padding::kSymmetric);
  void recalibrate(Subnet& subnet, const ImageSet& images, const RecalibrationConfig& config,
                   const Draws& draws = {}) const {
    const MemoryImages training(images);
    recalibrate_batch_norm(subnet,
                           {.training = training,
                            .augmenter = Augmenter(normalisation_, draws.augmentation, 1.0),
                            .seed = 1,
                            .stream = draws.stream,
                            .workers = draws.workers},
                           config);
  }
  static ImageSet at_resolution(const ImageSet& images, int resolution) {
    return evaluation_images(MemoryImages(images), resolution, 1.0);
  }
  ImageSet training_ = test::synthetic_images(300, 20, 1, 5, 1);
};

TEST_F(EvaluationTest, FloatNetworkEqualsSubnet) {
  RandomStream stream(1, "test/float");
  const SearchSpace excited_space = test::excited_space(Padding::kSymmetric);
  const Supernet varied(space_, 2);
  const Supernet excited(excited_space, 2);
  for (int i = 0; i < 6; ++i) {
    Subnet subnet = i < 3 ? varied.extract(sample(space_, stream))
                          : excited.extract(sample(excited_space, stream));
    recalibrate(subnet, training_, {.batches = 2, .batch_size = 16});
    const FloatNetwork plain = subnet.to_float_network();
    const ImageSet image =
        at_resolution(subset(training_, std::vector<int>{i}), subnet.network().input.height);
    std::vector<std::vector<float>> tensors(1);
    tensors[0].resize(image.pixels.size());
    normalise_images(image, 0, 1, normalisation_, tensors[0].data());
    const at::Tensor input = image_tensor(tensors[0], subnet.network().input, 1, at::kCPU);
    const std::vector<ValueRange> ranges = subnet.observe_ranges(image, normalisation_);
    for (std::size_t layer = 0; layer < plain.layers.size(); ++layer) {
      const auto& inputs = plain.network.layers[layer].inputs;
      tensors.push_back(naive_layer(plain, layer, tensors[static_cast<std::size_t>(inputs[0])],
                                    tensors[static_cast<std::size_t>(std::max(inputs[1], 0))]));
    }
    const at::NoGradGuard no_gradients;
    const std::vector<float> logits =
        to_floats(forward(subnet.network(), subnet.layers(), input, NormMode::kRunning));
    for (std::size_t c = 0; c < logits.size(); ++c) {
      EXPECT_NEAR(logits[c], tensors.back()[c], 1e-4);
    }
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      EXPECT_NEAR(ranges[t].min, *std::min_element(tensors[t].begin(), tensors[t].end()), 1e-4);
      EXPECT_NEAR(ranges[t].max, *std::max_element(tensors[t].begin(), tensors[t].end()), 1e-4);
    }
  }
}

TEST_F(EvaluationTest, RecalibrationOverOneBatchGivesItsExactStatistics) {
  const Supernet supernet(space_, 3);
  Subnet subnet = supernet.extract(largest(space_));
  const ImageSet one = subset(training_, std::vector<int>{17});
  recalibrate(subnet, one, {.batches = 1, .batch_size = 3});
  std::vector<float> pixels(one.pixels.size());
  normalise_images(one, 0, 1, normalisation_, pixels.data());
  ForwardObserver observer;
  int seen = 0;
  observer.raw = [&](int layer, const at::Tensor& raw) {
    const LayerTensors& own = subnet.layers()[static_cast<std::size_t>(layer)];
    EXPECT_TRUE(torch::allclose(own.running_mean, raw.mean({0, 2, 3}), 1e-3, 1e-4));
    EXPECT_TRUE(torch::allclose(own.running_variance, raw.var({0, 2, 3}, false), 1e-3, 1e-4));
    ++seen;
  };
  const at::NoGradGuard no_gradients;
  const at::Tensor input = image_tensor(pixels, subnet.network().input, 1, at::kCPU);
  const at::Tensor batch =
      forward(subnet.network(), subnet.layers(), input, NormMode::kBatch, observer);
  EXPECT_GT(seen, 5);
  // With these statistics, running mode is batch mode.
  EXPECT_TRUE(torch::allclose(forward(subnet.network(), subnet.layers(), input, NormMode::kRunning),
                              batch, 1e-3, 1e-3));
}

TEST_F(EvaluationTest, RecalibrationDependsOnTheStreamOnly) {
  const Supernet supernet(space_, 3);
  std::vector<std::string> states;
  for (const Draws& draws :
       {Draws{.stream = "a"}, Draws{.stream = "a", .workers = 2}, Draws{.stream = "b"}}) {
    Subnet subnet = supernet.extract(largest(space_));
    recalibrate(subnet, training_, {.batches = 4, .batch_size = 8}, draws);
    states.push_back(subnet.save());
  }
  EXPECT_TRUE(states[0] == states[1]);
  EXPECT_FALSE(states[0] == states[2]);
}

TEST_F(EvaluationTest, RecalibrationSeesAugmentedImages) {
  Subnet subnet = Supernet(space_, 3).extract(largest(space_));
  // A cutout that leaves nothing of the image: all zeros, and the stem has no bias.
  recalibrate(subnet, training_, {.batches = 2, .batch_size = 8},
              {.augmentation = {.cutout_pixels = 1000}});
  const LayerTensors& stem = subnet.layers()[0];
  EXPECT_EQ(stem.running_mean.abs().max().item<float>(), 0.0F);
  EXPECT_EQ(stem.running_variance.abs().max().item<float>(), 0.0F);
  recalibrate(subnet, training_, {.batches = 2, .batch_size = 8});
  EXPECT_GT(stem.running_variance.min().item<float>(), 0.0F);
}

TEST_F(EvaluationTest, AccuracyCountsPredictions) {
  const Subnet subnet(lower(space_, largest(space_)), 5);
  ImageSet images = training_;
  const std::vector<int> classes = predict(subnet, images, normalisation_);
  images.labels.assign(classes.begin(), classes.end());
  EXPECT_EQ(accuracy(subnet, images, normalisation_), 1.0);
  for (int i = 0; i < 75; ++i) {
    images.labels[static_cast<std::size_t>(i)] =
        (images.labels[static_cast<std::size_t>(i)] + 1) % 5;
  }
  EXPECT_DOUBLE_EQ(accuracy(subnet, images, normalisation_), 0.75);
  EXPECT_THROW(accuracy(subnet, at_resolution(images, 15), normalisation_), InputError);
}

TEST_F(EvaluationTest, SubnetStateRoundTrips) {
  Subnet subnet(lower(space_, smallest(space_)), 5);
  recalibrate(subnet, training_, {.batches = 1, .batch_size = 8});
  Subnet other(subnet.network(), 6);
  other.load(subnet.save());
  EXPECT_TRUE(other.save() == subnet.save());
  EXPECT_EQ(predict(other, at_resolution(training_, 15), normalisation_),
            predict(subnet, at_resolution(training_, 15), normalisation_));
  EXPECT_THROW(Subnet(lower(space_, largest(space_))).load(subnet.save()), InputError);
}

TEST(DeviceTest, NamesAreChecked) {
  EXPECT_EQ(resolve_device("cpu"), c10::Device(c10::kCPU));
  EXPECT_THROW(resolve_device("gpu"), InputError);
  if (!torch::cuda::is_available()) {
    EXPECT_THROW(resolve_device("cuda"), InputError);
    EXPECT_EQ(resolve_device("auto"), c10::Device(c10::kCPU));
  }
  EXPECT_THROW(set_threads(-1), InputError);
  EXPECT_EQ(set_threads(2), 2);
  EXPECT_EQ(thread_count(), 2);
}

}  // namespace
}  // namespace patchnas
