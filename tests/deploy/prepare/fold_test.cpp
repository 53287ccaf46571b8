// Folding leaves every output byte as it is, on random networks with channels that die.

#include "deploy/prepare/fold.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "arch/base/random.h"
#include "deploy/prepare/value_intervals.h"
#include "deploy/quantise/requantisation.h"
#include "deploy/reference/reference_executor.h"
#include "tests/deploy/support/functions_in_a_row.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

// As training leaves them: some channels with a bias that no sum overcomes, some with weights of 0.
QuantizedNetwork with_dead_channels(QuantizedNetwork network, RandomStream& stream) {
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    QuantizedLayer& layer = network.layers[i];
    const std::size_t channels = layer.biases.size();
    const bool channels_last = network.network.layers[i].kind == LayerKind::kDepthwiseConv2d;
    const std::size_t per_channel = channels == 0 ? 0 : layer.weights.size() / channels;
    for (std::size_t c = 0; c < channels; ++c) {
      const double kind = stream.uniform();
      if (kind < 0.25 && network.layers[i].requantisation[c].multiplier > 0) {
        layer.biases[c] = (stream.chance(0.8) ? -1 : 1) * (std::int32_t{1} << 29);
      } else if (kind < 0.35) {
        for (std::size_t w = 0; w < per_channel; ++w) {
          layer.weights[channels_last ? w * channels + c : c * per_channel + w] = 0;
        }
      }
    }
  }
  return derive_arithmetic(std::move(network));
}

QuantizedNetwork random_case(RandomStream& stream) {
  Network network = testing::random_network(stream);
  for (Layer& layer : network.layers) {
    if (layer.activation != Activation::kNone && stream.chance(0.2)) {
      layer.activation = Activation::kReluN1To1;
    }
  }
  return with_dead_channels(testing::random_quantised(network, stream), stream);
}

class Fold : public ::testing::TestWithParam<int> {};

TEST_P(Fold, KeepsEveryByteOfTheOutputs) {
  RandomStream stream(static_cast<std::uint64_t>(GetParam()), "fold");
  for (int round = 0; round < 40; ++round) {
    const QuantizedNetwork network = random_case(stream);
    const FoldedNetwork folding = fold(network);
    for (int image = 0; image < 3; ++image) {
      const auto bytes = testing::random_bytes(network.network.input_elements(), stream);
      for (const Arithmetic arithmetic :
           {Arithmetic::kTfliteMicro, Arithmetic::kTfliteMicroSingleRounding}) {
        ASSERT_EQ(run_layer_by_layer(folding.network, bytes, arithmetic),
                  run_layer_by_layer(network, bytes, arithmetic))
            << "round " << round;
      }
    }
  }
}

TEST_P(Fold, IntervalsHoldWhatIsComputed) {
  RandomStream stream(static_cast<std::uint64_t>(GetParam()), "intervals");
  for (int round = 0; round < 40; ++round) {
    const QuantizedNetwork network = random_case(stream);
    const std::vector<ChannelIntervals> intervals = value_intervals(network);
    const auto bytes = testing::random_bytes(network.network.input_elements(), stream);
    for (const Arithmetic arithmetic :
         {Arithmetic::kTfliteMicro, Arithmetic::kTfliteMicroSingleRounding}) {
      const auto tensors = run_all_layers(network, bytes, arithmetic);
      for (std::size_t tensor = 0; tensor < tensors.size(); ++tensor) {
        const ChannelIntervals& channels = intervals[tensor];
        for (std::size_t i = 0; i < tensors[tensor].size(); ++i) {
          const ValueInterval& interval = channels[i % channels.size()];
          ASSERT_TRUE(tensors[tensor][i] >= interval.low && tensors[tensor][i] <= interval.high)
              << "round " << round << ", tensor " << tensor << ", element " << i;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Fold, ::testing::Range(0, 4));

TEST(Folding, TakesDeadChannelsOutOfBothSides) {
  RandomStream stream(1, "fold");
  int channels = 0;
  int layers = 0;
  for (int round = 0; round < 100; ++round) {
    const QuantizedNetwork network = random_case(stream);
    const FoldedNetwork folding = fold(network);
    channels += folding.removed.channels;
    layers += static_cast<int>(folding.removed.layers.size());
    EXPECT_EQ(folding.removed.empty(), folding.network == network);
    EXPECT_EQ(folding.removed.macs,
              network_macs(network.network) - network_macs(folding.network.network));
    EXPECT_EQ(
        folding.network.network.layer_count() + static_cast<int>(folding.removed.layers.size()),
        network.network.layer_count());
    EXPECT_TRUE(fold(folding.network).removed.empty()) << "round " << round;
  }
  EXPECT_GT(channels, 1000);
  EXPECT_GT(layers, 5);
}

// 1x1 convolution, depthwise, 1x1 convolution; the first has a channel that is always its zero
// point.
QuantizedNetwork bottleneck() {
  QuantizedNetwork network;
  network.network.input = {4, 4, 2};
  Layer expand;
  expand.inputs = {kImage, kNoTensor};
  expand.output = {4, 4, 3};
  expand.activation = Activation::kRelu6;
  Layer depthwise = expand;
  depthwise.kind = LayerKind::kDepthwiseConv2d;
  depthwise.inputs = {1, kNoTensor};
  depthwise.kernel = {.height = 3, .width = 3, .pad_top = 1, .pad_left = 1};
  Layer project;
  project.inputs = {2, kNoTensor};
  project.output = {4, 4, 2};
  network.network.layers = {expand, depthwise, project};
  network.tensors = {{0.02F, 0}, {6.0F / 255, -128}, {6.0F / 255, -128}, {0.05F, 3}};
  network.layers.resize(3);
  const auto fill = [](QuantizedLayer& layer, std::size_t weights, std::size_t outputs) {
    for (std::size_t i = 0; i < weights; ++i) {
      layer.weights.push_back(static_cast<std::int8_t>(7 * i % 11 + 1));
    }
    layer.weight_scales.assign(outputs, 0.01F);
    layer.biases.assign(outputs, 100);
  };
  fill(network.layers[0], 6, 3);
  fill(network.layers[1], 27, 3);
  fill(network.layers[2], 6, 2);
  network.layers[0].biases[1] = -1'000'000;
  return derive_arithmetic(std::move(network));
}

TEST(Folding, FollowsAChannelThroughADepthwiseLayer) {
  const QuantizedNetwork network = bottleneck();
  const FoldedNetwork folding = fold(network);
  EXPECT_EQ(folding.removed.channels, 2);
  EXPECT_EQ(folding.network.network.layers[0].output.channels, 2);
  EXPECT_EQ(folding.network.network.layers[1].output.channels, 2);
  // What the depthwise layer makes of nothing but its bias is in the biases of the last one.
  EXPECT_NE(folding.network.layers[2].biases, network.layers[2].biases);
  EXPECT_EQ(folding.removed.macs, 16 * (2 + 9 + 2));
  EXPECT_EQ(folding.removed.weights, 2 + 9 + 2);
}

TEST(Folding, KeepsConstantsThatBordersWouldTellApart) {
  QuantizedNetwork network = bottleneck();
  network.network.layers[2].kernel = {.height = 3, .width = 3, .pad_top = 1, .pad_left = 1};
  network.layers[2].weights.assign(2 * 9 * 3, 5);
  network.layers[1].biases[1] = 50'000;  // a constant that is not the zero point
  network = derive_arithmetic(std::move(network));
  EXPECT_EQ(value_intervals(network)[2][1].low, value_intervals(network)[2][1].high);
  EXPECT_TRUE(fold(network).removed.empty());
  network.layers[1].biases[1] = -50'000;
  EXPECT_EQ(fold(derive_arithmetic(std::move(network))).removed.channels, 2);
}

TEST(Folding, KeepsInputsAndOutputs) {
  QuantizedNetwork network = bottleneck();
  network.network.outputs = {1, 3};
  network.output_ends.resize(2);
  network = derive_arithmetic(std::move(network));
  EXPECT_TRUE(fold(network).removed.empty());
}

TEST(Folding, MakesOneTableOfFunctionsInARow) {
  RandomStream stream(3, "functions in a row");
  for (int round = 0; round < 200; ++round) {
    const int count = 2 + static_cast<int>(stream.below(4));
    const QuantizedNetwork network = testing::functions_in_a_row(stream, count);
    const FoldedNetwork folding = fold(network);
    EXPECT_LE(folding.network.network.layer_count(), 3) << "round " << round;
    const auto bytes = testing::random_bytes(network.network.input_elements(), stream);
    for (const Arithmetic arithmetic :
         {Arithmetic::kTfliteMicro, Arithmetic::kTfliteMicroSingleRounding}) {
      ASSERT_EQ(run_layer_by_layer(folding.network, bytes, arithmetic),
                run_layer_by_layer(network, bytes, arithmetic))
          << "round " << round;
    }
  }
}

TEST(Folding, KeepsAFunctionWhoseValuesAreReadTwice) {
  RandomStream stream(4, "functions in a row");
  QuantizedNetwork network = testing::functions_in_a_row(stream, 2);
  network.network.outputs = {2, 4};
  network.output_ends.resize(2);
  network = derive_arithmetic(std::move(network));
  const FoldedNetwork folding = fold(network);
  EXPECT_EQ(folding.network.network.layer_count(), 4);
  const auto bytes = testing::random_bytes(network.network.input_elements(), stream);
  EXPECT_EQ(run_layer_by_layer(folding.network, bytes), run_layer_by_layer(network, bytes));
}

TEST(Folding, MergesAnActivationFunctionOfItsOwn) {
  QuantizedNetwork network = bottleneck();
  network.layers[2].weights[0] = -120;
  Layer relu = network.network.layers[2];
  relu.kind = LayerKind::kLookup;
  relu.function = ValueFunction::kRelu;
  relu.inputs = {3, kNoTensor};
  network.network.layers.push_back(relu);
  network.layers.emplace_back();
  network.tensors.push_back(network.tensors.back());
  network = derive_arithmetic(std::move(network));
  const FoldedNetwork folding = fold(network);
  ASSERT_EQ(folding.removed.layers.size(), 1U);
  EXPECT_EQ(folding.network.network.layers.back().activation, Activation::kRelu);
}

}  // namespace
}  // namespace patchnas
