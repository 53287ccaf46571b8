#include "search/package/quantise_model.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "deploy/float/float_executor.h"
#include "search/base/files.h"
#include "tests/deploy/support/random_float.h"
#include "tests/search/support.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Network two_inputs() {
  Network network{.input = {1, 1, 2}, .layers = {}, .names = {"second", "sum"}};
  network.layers.push_back({.kind = LayerKind::kInput, .output = {1, 1, 2}, .kernel = {}});
  network.layers.push_back({.kind = LayerKind::kAdd, .output = {1, 1, 2}, .kernel = {}});
  network.layers.back().inputs = {0, 1};
  return network;
}

void write_floats(const std::filesystem::path& path, const std::vector<float>& values) {
  write_file(path, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
}

TEST(CalibrationSamples, OfSeveralFilesAreSampleAfterSample) {
  const TestFolder folder;
  const std::vector<std::filesystem::path> files{folder.path() / "a", folder.path() / "b"};
  write_floats(files[0], {1, 2, 3, 4});
  write_floats(files[1], {5, 6, 7, 8});
  EXPECT_THAT(samples_of_files(two_inputs(), files).values, ElementsAre(1, 2, 5, 6, 3, 4, 7, 8));
  write_floats(files[1], {5, 6});
  try {
    samples_of_files(two_inputs(), files);
    FAIL() << "one sample of the second input";
  } catch (const InputError& error) {
    EXPECT_THAT(std::string(error.what()), HasSubstr("b: has 1 samples, "));
  }
  write_floats(files[1], {5, 6, 1.0F / 0.0F, 8});
  EXPECT_THROW(samples_of_files(two_inputs(), files), InputError);
}

ImageSet small_images() {
  return {.height = 1,
          .width = 1,
          .channels = 2,
          .classes = 2,
          .pixels = {0, 100, 228, 128},
          .labels = {1, 0}};
}

TEST(CalibrationSamples, OfImagesAreNormalisedPixels) {
  Network network{.input = {1, 1, 2}, .layers = {}, .names = {"same"}};
  network.layers.push_back({.kind = LayerKind::kLookup, .output = {1, 1, 2}, .kernel = {}});
  const CalibrationSamples samples =
      samples_of_images(network, small_images(), std::array{ChannelNormalisation{128, 50}});
  EXPECT_THAT(samples.values, ElementsAre(-2.56F, -0.56F, 2.0F, 0.0F));
  EXPECT_THAT(samples.labels, ElementsAre(1, 0));
  EXPECT_EQ(sample_count(samples, network), 2);
  EXPECT_THROW(samples_of_images(two_inputs(), small_images(), std::array{ChannelNormalisation{}}),
               InputError);
}

TEST(CalibrationSamples, DrawnAtRandomKeepTheirLabels) {
  Network network{.input = {1, 1, 1}, .layers = {}, .names = {"same"}};
  network.layers.push_back({.kind = LayerKind::kLookup, .output = {1, 1, 1}, .kernel = {}});
  CalibrationSamples samples;
  for (int i = 0; i < 100; ++i) {
    samples.values.push_back(static_cast<float>(i));
    samples.labels.push_back(i);
  }
  const CalibrationSamples drawn = random_samples(samples, network, 10, 1);
  ASSERT_EQ(drawn.values.size(), 10U);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(drawn.values[i], static_cast<float>(drawn.labels[i]));
  }
  EXPECT_EQ(drawn.values, random_samples(samples, network, 10, 1).values);
  EXPECT_NE(drawn.values, random_samples(samples, network, 10, 2).values);
  EXPECT_EQ(random_samples(samples, network, 1000, 1).values, samples.values);
}

TEST(QuantiseModel, ComparesFloatAndInt8OnAllSamples) {
  RandomStream stream(31, "quantise model");
  for (int i = 0; i < 10; ++i) {
    const FloatNetwork network =
        testing::random_float_network(testing::random_lowered_network(stream), stream);
    CalibrationSamples samples{.values =
                                   testing::random_samples(network.network, 50, -2, 2, stream)};
    const FloatExecutor executor(network);
    for (int sample = 0; sample < 50; ++sample) {
      const auto scores =
          outputs_of(network.network, executor.run(executor.sample(samples.values, sample)));
      samples.labels.push_back(static_cast<std::int32_t>(
          std::max_element(scores.begin(), scores.end()) - scores.begin()));
    }
    const QuantisedModel model = quantise_model(network, samples, {.count = 20});
    EXPECT_EQ(model.measured_samples, 20);
    EXPECT_EQ(model.samples, 50);
    ASSERT_TRUE(model.top_one.has_value());
    EXPECT_EQ(*model.top_one->float_accuracy, 1.0);
    EXPECT_EQ(*model.top_one->int8_accuracy, model.top_one->agreement);
    EXPECT_GT(model.top_one->agreement, 0.8);
    const std::vector<int> worst = model.worst_layers(3);
    ASSERT_EQ(worst.size(), 3U);
    for (const LayerNoise& layer : model.noise) {
      EXPECT_GE(layer.decibels(), model.noise[static_cast<std::size_t>(worst[0])].decibels());
    }
  }
}

}  // namespace
}  // namespace patchnas
