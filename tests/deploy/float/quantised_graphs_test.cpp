// Float networks of every layer kind, from their values to int8.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "arch/operator_table.h"
#include "deploy/float/float.h"
#include "deploy/quantise/prepare_for_int8.h"
#include "deploy/quantise/quantise.h"
#include "deploy/quantise/requantisation.h"
#include "deploy/reference/reference_executor.h"
#include "deploy/tflite/tflite_export.h"
#include "deploy/tflite/tflite_import.h"
#include "tests/deploy/support/random_float.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

using ::testing::HasSubstr;

Network with_softmax(Network network) {
  if (network.outputs.empty()) {
    Layer softmax{.kind = LayerKind::kSoftmax, .output = network.output(), .kernel = {}};
    softmax.inputs = {network.layer_count(), kNoTensor};
    network.layers.push_back(softmax);
  }
  return network;
}

struct Case {
  FloatNetwork network;
  std::vector<float> samples;
  QuantizedNetwork quantised;
};

Case quantised_case(const Network& network, const QuantisedEnds& ends, const CalibrationRule& rule,
                    RandomStream& stream) {
  Case result;
  result.network = prepare_for_int8(
      testing::with_sums(testing::random_float_network(network, stream)), ends.pixels);
  result.samples = testing::random_samples(network, 8, -2, 2, stream);
  result.quantised =
      quantise(result.network, calibrated_ranges(result.network, result.samples, rule), ends);
  return result;
}

std::vector<double> decibels_of(const Case& c) {
  std::vector<double> result;
  for (const LayerNoise& layer : layer_noise(c.network, c.quantised, c.samples)) {
    result.push_back(layer.decibels());
  }
  return result;
}

TEST(QuantisedGraphs, KeepTheSignalOfEveryLayer) {
  RandomStream stream(61, "quantised graphs");
  std::vector<double> decibels;
  std::set<LayerKind> kinds;
  std::set<ValueFunction> functions;
  for (int i = 0; i < 150; ++i) {
    QuantisedEnds ends;
    if (stream.chance(0.5)) {
      ends.pixels = PixelNormalisation{.mean = 128, .stddev = 64};
    }
    const Case c = quantised_case(with_softmax(testing::random_network(stream)), ends, {}, stream);
    const std::vector<double> own = decibels_of(c);
    decibels.insert(decibels.end(), own.begin(), own.end());
    for (const Layer& layer : c.network.network.layers) {
      kinds.insert(layer.kind);
      if (layer.kind == LayerKind::kLookup) {
        functions.insert(layer.function);
      }
    }
  }
  std::sort(decibels.begin(), decibels.end());
  // Each bit is worth 6 dB. Below 20 dB are layers that are nearly dead: their values are smaller
  // than a step of their inputs.
  EXPECT_GT(decibels[decibels.size() / 200], 20);
  EXPECT_GT(decibels[decibels.size() / 20], 30);
  EXPECT_GT(decibels[decibels.size() / 2], 38);
  EXPECT_EQ(kinds.size(), kOperators.size());
  EXPECT_GE(functions.size(), 8U);  // RELU is mostly fused
}

TEST(QuantisedGraphs, KeepTheSignalWithEveryWayOfCalibration) {
  for (const CalibrationRule rule : {CalibrationRule{.method = CalibrationMethod::kPercentile},
                                     CalibrationRule{.method = CalibrationMethod::kMse}}) {
    RandomStream stream(62, "ways of calibration");
    for (int i = 0; i < 2; ++i) {
      const Case c = quantised_case(testing::random_lowered_network(stream), {}, rule, stream);
      const std::vector<double> own = decibels_of(c);
      EXPECT_GT(*std::min_element(own.begin(), own.end()), 20);
    }
  }
}

TEST(QuantisedGraphs, HaveOneScaleWhereValuesAreOnlyMoved) {
  RandomStream stream(63, "shared scales");
  int tied = 0;
  for (int i = 0; i < 100; ++i) {
    const Case c = quantised_case(testing::random_graph(stream), {}, {}, stream);
    for (std::size_t l = 0; l < c.quantised.layers.size(); ++l) {
      const Layer& layer = c.quantised.network.layers[l];
      for (int input = 0; keeps_scale(layer) && input < layer.input_count(); ++input) {
        const auto from = static_cast<std::size_t>(layer.inputs[static_cast<std::size_t>(input)]);
        EXPECT_EQ(c.quantised.tensors[from], c.quantised.tensors[l + 1]);
        ++tied;
      }
    }
  }
  EXPECT_GT(tied, 50);
}

TEST(QuantisedGraphs, ComputeTheSameBytesAsTheyAreWritten) {
  RandomStream stream(69, "round trip");
  int written = 0;
  for (int i = 0; i < 60; ++i) {
    const QuantisedEnds ends{.inputs = EndNumbers::kFloat32, .outputs = EndNumbers::kInt8};
    const Case c = quantised_case(testing::random_network(stream, 0), ends, {}, stream);
    if (!testing::is_written_as_tflite(c.quantised.network)) {
      continue;
    }
    const QuantizedNetwork read = import_tflite(export_tflite(c.quantised), "round trip");
    const auto image = testing::random_bytes(c.quantised.network.input_elements(), stream);
    EXPECT_EQ(run_layer_by_layer(read, image), run_layer_by_layer(c.quantised, image));
    EXPECT_EQ(read.input_ends[0].numbers, EndNumbers::kFloat32);
    ++written;
  }
  EXPECT_GT(written, 30);
}

TEST(QuantisedGraphs, GiveAndTakeTheNumbersThatAreAskedFor) {
  RandomStream stream(64, "ends");
  for (int i = 0; i < 20; ++i) {
    const QuantisedEnds ends{.inputs = EndNumbers::kFloat32, .outputs = EndNumbers::kUint8};
    const Case c = quantised_case(testing::random_graph(stream), ends, {}, stream);
    ASSERT_EQ(c.quantised.input_ends.size(),
              static_cast<std::size_t>(c.network.network.input_count()));
    for (const NetworkEnd& end : c.quantised.input_ends) {
      EXPECT_EQ(end.numbers, EndNumbers::kFloat32);
    }
    for (std::size_t o = 0; o < c.quantised.output_ends.size(); ++o) {
      const TensorQuantisation q = c.quantised.output_quantisation(o);
      EXPECT_EQ(c.quantised.output_ends[o].numbers, EndNumbers::kUint8);
      EXPECT_EQ(c.quantised.output_ends[o].uint8,
                (TensorQuantisation{q.scale, q.zero_point + 128}));
    }
  }
}

// ----- preparation

Layer layer_of(LayerKind kind, TensorId input, const TensorShape& output) {
  Layer layer{.kind = kind, .output = output, .kernel = {}};
  layer.inputs = {input, kNoTensor};
  return layer;
}

// A convolution with RELU6 and LOGISTIC behind it, side by side with the image.
FloatNetwork joined_with_the_image(RandomStream& stream) {
  const TensorShape shape{3, 3, 2};
  const TensorShape all{3, 3, 4};
  Network network{
      .input = shape, .layers = {}, .names = {"conv", "relu6", "logistic", "first", "joined"}};
  network.layers.push_back(layer_of(LayerKind::kConv2d, 0, shape));
  network.layers.push_back(layer_of(LayerKind::kLookup, 1, shape));
  network.layers.back().function = ValueFunction::kRelu6;
  network.layers.push_back(layer_of(LayerKind::kLookup, 2, shape));
  network.layers.back().function = ValueFunction::kLogistic;
  network.layers.push_back(layer_of(LayerKind::kCopyChannels, 3, all));
  network.layers.back().channels = {.from = 0, .to = 0, .count = 2};
  network.layers.push_back(layer_of(LayerKind::kCopyChannels, 0, all));
  network.layers.back().inputs[1] = 4;
  network.layers.back().channels = {.from = 0, .to = 2, .count = 2};
  return testing::random_float_network(network, stream);
}

// Counts, and stops at the fifth call.
struct Stop {};
BeforeEach stopping(std::atomic<int>& calls) {
  return [&calls] {
    if (++calls >= 5) {
      throw Stop{};
    }
  };
}

TEST(QuantisedGraphs, EndBetweenSamplesWhereAsked) {
  RandomStream stream(8, "stops");
  const FloatNetwork network =
      testing::random_float_network(testing::random_lowered_network(stream), stream);
  const auto count = static_cast<std::size_t>(network.network.input_elements());
  const std::vector<float> samples(count * 1000, 0.5F);
  const int most = 5 + thread_count();
  std::atomic<int> calls{0};
  EXPECT_THROW(calibrated_ranges(network, samples, CalibrationRule{}, stopping(calls)), Stop);
  EXPECT_LE(calls, most);
  const QuantizedNetwork quantised =
      quantise(network, calibrated_ranges(network, std::span(samples).first(count), {}), {});
  calls = 0;
  EXPECT_THROW(layer_noise(network, quantised, samples, stopping(calls)), Stop);
  EXPECT_LE(calls, most);
  const std::vector<std::int8_t> images(count * 1000, 1);
  calls = 0;
  EXPECT_THROW(run_images(quantised, images, Arithmetic::kTfliteMicro, stopping(calls)), Stop);
  EXPECT_LE(calls, most);
}

TEST(PrepareForInt8, KeepsTheFunction) {
  RandomStream stream(65, "prepare");
  int fused = 0;
  for (int i = 0; i < 200; ++i) {
    const FloatNetwork network =
        testing::random_float_network(testing::random_graph(stream), stream);
    const FloatNetwork prepared =
        prepare_for_int8(network, PixelNormalisation{.mean = 128, .stddev = 64});
    validate(prepared.network);
    const auto sample = testing::random_samples(network.network, 1, -2, 2, stream);
    EXPECT_EQ(outputs_of(prepared.network, run_float_layers(prepared, sample)),
              outputs_of(network.network, run_float_layers(network, sample)));
    fused += prepared.network.layer_count() < network.network.layer_count() ? 1 : 0;
  }
  EXPECT_GT(fused, 0);
}

TEST(PrepareForInt8, FusesActivationsAndBringsFixedScalesToAnother) {
  RandomStream stream(66, "prepare one");
  const PixelNormalisation pixels{.mean = 0, .stddev = 20};
  const FloatNetwork network = joined_with_the_image(stream);
  const FloatNetwork prepared = prepare_for_int8(network, pixels);
  EXPECT_THAT(prepared.network.names,
              ::testing::ElementsAre("relu6", "logistic", "first", "image/requantised",
                                     "first/requantised", "joined"));
  EXPECT_EQ(prepared.network.layers[0].activation, Activation::kRelu6);
  const std::vector<float> samples = testing::random_samples(network.network, 20, 0, 12.75, stream);
  const auto ranges = calibrated_ranges(prepared, samples, CalibrationRule{});
  const QuantizedNetwork quantised = quantise(prepared, ranges, {.pixels = pixels});
  EXPECT_EQ(quantised.tensors[0], pixel_quantisation(pixels));
  EXPECT_EQ(quantised.tensors[2], kSoftmaxOutput);
  const LayerNoise noise = layer_noise(prepared, quantised, samples).back();
  EXPECT_GT(noise.decibels(), 40);
}

TEST(PrepareForInt8, IsAskedForWhereScalesDoNotGoTogether) {
  RandomStream stream(67, "unprepared");
  const FloatNetwork network = joined_with_the_image(stream);
  const std::vector<ValueRange> ranges(6, ValueRange{-1, 1});
  try {
    quantise(network, ranges, {});
    FAIL() << "logistic and the image have other scales";
  } catch (const InputError& error) {
    EXPECT_THAT(std::string(error.what()), HasSubstr("layer 4 (joined): puts numbers whose scale"));
  }
}

TEST(PrepareForInt8, LeavesActivationsOfWhatOthersReadAsWell) {
  RandomStream stream(68, "read twice");
  FloatNetwork network = joined_with_the_image(stream);
  network.network.layers[2].inputs[0] = 1;  // the logistic reads the convolution
  network.network.outputs = {2, 5};
  EXPECT_EQ(prepare_for_int8(network, {}).network.layers[1].function, ValueFunction::kRelu6);
}

}  // namespace
}  // namespace patchnas
