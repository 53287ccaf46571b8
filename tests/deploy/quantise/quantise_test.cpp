#include "deploy/quantise/quantise.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "deploy/float/float.h"
#include "deploy/quantise/fold_batch_norm.h"
#include "deploy/reference/reference_executor.h"
#include "tests/deploy/support/random_float.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

constexpr PixelNormalisation kPixels{.mean = 120, .stddev = 60};

std::vector<float> real_image(const std::vector<std::int8_t>& image) {
  std::vector<float> result;
  for (const std::int8_t stored : image) {
    const int pixel = stored + 128;
    result.push_back(static_cast<float>((pixel - kPixels.mean) / kPixels.stddev));
  }
  return result;
}

float real(const TensorQuantisation& q, std::int8_t stored) {
  return q.scale * static_cast<float>(stored - q.zero_point);
}

// A pointwise convolution of one pixel, as small as networks get.
FloatNetwork pointwise(int inputs, std::vector<float> weights, std::vector<float> bias) {
  const int outputs = static_cast<int>(bias.size());
  FloatNetwork result;
  result.network.input = {1, 1, inputs};
  result.network.layers.push_back(
      {.kind = LayerKind::kConv2d, .output = {1, 1, outputs}, .kernel = {}});
  result.layers.push_back(
      {.weights = std::move(weights), .bias = std::move(bias), .batch_norm = {}});
  return result;
}

TEST(Quantise, PixelsAreStoredLess128) {
  const TensorQuantisation q = pixel_quantisation({.mean = 100, .stddev = 50});
  EXPECT_EQ(q.zero_point, -28);
  for (const int pixel : {0, 100, 255}) {
    EXPECT_FLOAT_EQ(real(q, static_cast<std::int8_t>(pixel - 128)),
                    static_cast<float>((pixel - 100) / 50.0));
  }
  EXPECT_THROW(pixel_quantisation({.mean = 256, .stddev = 1}), InputError);
  EXPECT_THROW(pixel_quantisation({.mean = 0, .stddev = 0}), InputError);
}

TEST(Quantise, ActivationRangesHoldZeroExactlyAndReachBothEnds) {
  RandomStream stream(31, "ranges");
  for (int i = 0; i < 1000; ++i) {
    const float a = static_cast<float>((stream.uniform() - 0.5) * 20);
    const float b = static_cast<float>((stream.uniform() - 0.5) * 20);
    const ValueRange range{std::min(a, b), std::max(a, b)};
    const TensorQuantisation q = activation_quantisation(range);
    ASSERT_GE(q.zero_point, -128);
    ASSERT_LE(q.zero_point, 127);
    EXPECT_LE(real(q, -128), std::min(range.min, 0.0F) + q.scale * 0.51F);
    EXPECT_GE(real(q, 127), std::max(range.max, 0.0F) - q.scale * 0.51F);
  }
}

TEST(Quantise, NetworksComputeNearlyWhatTheirFloatOriginalsDo) {
  RandomStream stream(32, "accuracy");
  double total_error_steps = 0;
  double total_spread_steps = 0;
  double count = 0;
  for (int i = 0; i < 40; ++i) {
    const FloatNetwork network =
        testing::random_float_network(testing::random_lowered_network(stream), stream);
    std::vector<std::vector<std::int8_t>> images;
    std::vector<float> samples;
    for (int image = 0; image < 6; ++image) {
      images.push_back(testing::random_bytes(network.network.input.elements(), stream));
      const std::vector<float> sample = real_image(images.back());
      samples.insert(samples.end(), sample.begin(), sample.end());
    }
    const QuantizedNetwork quantised = quantise(
        network, calibrated_ranges(network, samples, CalibrationRule{}), {.pixels = kPixels});
    const TensorQuantisation& q = quantised.output_quantisation();
    for (std::size_t image = 0; image < images.size(); ++image) {
      const std::vector<std::int8_t> output = run_layer_by_layer(quantised, images[image]);
      const std::vector<float> expected_output =
          run_float_layers(network, real_image(images[image])).back();
      for (std::size_t j = 0; j < output.size(); ++j) {
        const float expected = expected_output[j];
        total_error_steps += std::abs(real(q, output[j]) - expected) / q.scale;
        total_spread_steps += std::abs(expected) / q.scale;
        count += 1;
      }
    }
  }
  EXPECT_LT(total_error_steps / count, 2.0);
  EXPECT_GT(total_spread_steps / count, 40.0) << "the outputs say too little";
}

TEST(FoldBatchNorm, KeepsTheFunction) {
  RandomStream stream(33, "fold");
  for (int i = 0; i < 20; ++i) {
    const FloatNetwork network =
        testing::random_float_network(testing::random_lowered_network(stream), stream);
    const FloatNetwork folded = fold_batch_norm(network);
    EXPECT_TRUE(std::none_of(folded.layers.begin(), folded.layers.end(),
                             [](const FloatLayer& layer) { return layer.batch_norm.has_value(); }));
    const auto image = real_image(testing::random_bytes(network.network.input.elements(), stream));
    const auto before = run_float_layers(network, image).back();
    const auto after = run_float_layers(folded, image).back();
    for (std::size_t j = 0; j < before.size(); ++j) {
      EXPECT_NEAR(after[j], before[j], 1e-4F * (1 + std::abs(before[j])));
    }
  }
}

TEST(Quantise, ChannelsWithoutWeightsKeepTheirBias) {
  const QuantizedNetwork q =
      quantise(pointwise(2, {0, 0, 1e-30F, 0, 0.5F, -0.5F}, {1.5F, -0.75F, 0.25F}),
               {{-2, 2}, {-2, 2}}, {.pixels = kPixels});
  const std::vector<std::int8_t> output = run_layer_by_layer(q, std::vector<std::int8_t>{40, -8});
  EXPECT_NEAR(real(q.output_quantisation(), output[0]), 1.5F, q.output_quantisation().scale);
  EXPECT_NEAR(real(q.output_quantisation(), output[1]), -0.75F, q.output_quantisation().scale);
  EXPECT_NEAR(real(q.output_quantisation(), output[2]), 0.25F + 0.5F * 48 / 60,
              q.output_quantisation().scale);
}

TEST(Quantise, LargeBiasesOfTinyWeightsFitIntoThirtyOneBits) {
  const QuantizedNetwork q =
      quantise(pointwise(1, {1e-9F}, {1000.0F}), {{-2, 2}, {0, 1200}}, {.pixels = kPixels});
  EXPECT_LE(std::abs(std::int64_t{q.layers[0].biases[0]}), std::int64_t{1} << 30);
  const std::vector<std::int8_t> output = run_layer_by_layer(q, std::vector<std::int8_t>{10});
  EXPECT_NEAR(real(q.output_quantisation(), output[0]), 1000.0F, q.output_quantisation().scale);
}

TEST(Quantise, DeadTensorsAndConstantOutputsAreAccepted) {
  const QuantizedNetwork dead =
      quantise(pointwise(1, {0.0F}, {0.0F}), {{-2, 2}, {0, 0}}, {.pixels = kPixels});
  EXPECT_EQ(
      real(dead.output_quantisation(), run_layer_by_layer(dead, std::vector<std::int8_t>{10})[0]),
      0.0F);
}

TEST(Quantise, Relu6OutputsStayBelowSix) {
  FloatNetwork network = pointwise(1, {10.0F}, {0.0F});
  network.network.layers[0].activation = Activation::kRelu6;
  const QuantizedNetwork q = quantise(network, {{-2, 2}, {0, 6}}, {.pixels = kPixels});
  EXPECT_EQ(q.output_quantisation().zero_point, -128);
  EXPECT_NEAR(
      real(q.output_quantisation(), run_layer_by_layer(q, std::vector<std::int8_t>{127})[0]), 6.0F,
      0.02F);
  EXPECT_EQ(real(q.output_quantisation(), run_layer_by_layer(q, std::vector<std::int8_t>{-128})[0]),
            0.0F);
}

TEST(Quantise, NamesTheLayerWhoseParametersAreWrong) {
  const auto message = [](const FloatNetwork& network,
                          const std::vector<ValueRange>& ranges) -> std::string {
    try {
      quantise(network, ranges, {.pixels = kPixels});
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  const std::vector<ValueRange> ranges{{-2, 2}, {-1, 1}};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_NE(message(pointwise(1, {nan}, {0.0F}), ranges).find("layer 0 ("), std::string::npos);
  EXPECT_NE(message(pointwise(2, {1.0F}, {0.0F}), ranges).find("number of weights"),
            std::string::npos);
  EXPECT_NE(message(pointwise(1, {1.0F}, {0.0F}), {{-2, 2}, {nan, 1}}).find("not finite"),
            std::string::npos);
  EXPECT_NE(message(pointwise(1, {1.0F}, {0.0F}), {{-2, 2}}).find("one range"), std::string::npos);
}

}  // namespace
}  // namespace patchnas
