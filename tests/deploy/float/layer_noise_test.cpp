#include "deploy/float/layer_noise.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "deploy/float/calibration_run.h"
#include "deploy/quantise/quantise.h"
#include "tests/deploy/support/random_float.h"

namespace patchnas {
namespace {

// Multiplies by 1, so that its output is the input's, quantised anew.
FloatNetwork identity(int channels) {
  FloatNetwork network;
  network.network.input = {1, 1, channels};
  network.network.layers.push_back(
      {.kind = LayerKind::kLookup, .output = {1, 1, channels}, .kernel = {}});
  network.layers.emplace_back();
  return network;
}

TEST(LayerNoise, OfUniformValuesIsThatOfEightBits) {
  RandomStream stream(51, "uniform noise");
  const FloatNetwork network = identity(500);
  const auto samples = testing::random_samples(network.network, 20, -1, 1, stream);
  const auto ranges = calibrated_ranges(network, samples, CalibrationRule{});
  const auto noise = layer_noise(network, quantise(network, ranges, {}), samples);
  ASSERT_EQ(noise.size(), 1U);
  // Values uniform in 256 steps, errors uniform in one.
  EXPECT_NEAR(noise[0].decibels(), 20 * std::log10(255), 0.2);
  EXPECT_NEAR(noise[0].signal, 500 * 20 / 3.0, 100);
}

TEST(LayerNoise, IsInfiniteInDecibelsWhereThereIsNone) {
  const FloatNetwork network = identity(2);
  const auto noise =
      layer_noise(network, quantise(network, {{0, 255}, {0, 255}}, {}), std::vector<float>{3, 200});
  EXPECT_EQ(noise[0].noise, 0);
  EXPECT_EQ(noise[0].decibels(), std::numeric_limits<double>::infinity());
}

TEST(LayerNoise, GrowsWithValuesThatAreClipped) {
  const FloatNetwork network = identity(1);
  const auto decibels = [&](float max) {
    return layer_noise(network, quantise(network, {{0, max}, {0, max}}, {}),
                       std::vector<float>{10})[0]
        .decibels();
  };
  EXPECT_GT(decibels(10), 40);
  EXPECT_NEAR(decibels(5), 20 * std::log10(2), 0.1);  // half is cut off
}

TEST(LayerNoise, IsBetweenTheSameLayersOnly) {
  EXPECT_THROW(layer_noise(identity(2), quantise(identity(1), {{0, 1}, {0, 1}}, {}),
                           std::vector<float>{1, 2}),
               InputError);
}

}  // namespace
}  // namespace patchnas
