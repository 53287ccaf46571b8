#include "arch/network.h"

#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

Network two_layers() {
  Network network;
  network.input = {8, 6, 3};
  Layer conv;
  conv.output = {4, 3, 5};
  conv.kernel = {3, 3, 2, 2, 0, 0};
  Layer dense;
  dense.kind = LayerKind::kFullyConnected;
  dense.inputs = {1, kNoTensor};
  dense.output = {1, 1, 10};
  network.layers = {conv, dense};
  return network;
}

TEST(Network, CountsMultiplicationsAndParameters) {
  const Network network = two_layers();
  EXPECT_EQ(layer_macs(network, 0), 4 * 3 * 5 * 9 * 3);
  EXPECT_EQ(layer_macs(network, 1), 4 * 3 * 5 * 10);
  EXPECT_EQ(network_macs(network), 4 * 3 * 5 * 9 * 3 + 600);
  EXPECT_EQ(parameter_count(network), 9 * 3 * 5 + 5 + 600 + 10);
}

TEST(Network, GroupsDivideWeightsAndMacsButNotBiases) {
  RandomStream stream(2, "network_test/groups");
  int grouped_layers = 0;
  for (int round = 0; round < 200; ++round) {
    const Network plain = round % 2 == 0 ? testing::random_general_network(stream)
                                         : testing::random_lowered_network(stream);
    const Network grouped = testing::with_random_groups(plain, stream);
    EXPECT_NO_THROW(validate(grouped));
    for (int layer = 0; layer < plain.layer_count(); ++layer) {
      const int groups = grouped.layers[static_cast<std::size_t>(layer)].groups;
      grouped_layers += groups > 1 ? 1 : 0;
      EXPECT_EQ(weight_count(grouped, layer) * groups, weight_count(plain, layer));
      EXPECT_EQ(macs_per_pixel(grouped, layer) * groups, macs_per_pixel(plain, layer));
      EXPECT_EQ(bias_count(grouped, layer), bias_count(plain, layer));
    }
  }
  EXPECT_GT(grouped_layers, 50);
}

TEST(Network, GroupsMustDivideTheChannelsOfAConvolution) {
  const auto error_with = [](std::size_t layer, int input_channels, int groups) {
    Network network = two_layers();
    network.input.channels = input_channels;
    network.layers[layer].groups = groups;
    try {
      validate(network);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(error_with(0, 10, 5), "");
  EXPECT_EQ(error_with(0, 10, 2),
            "layer 0 (layer0.conv): has 2 groups; allowed: divisors of its 10 input and 5 output "
            "channels");
  EXPECT_EQ(error_with(0, 3, 5),
            "layer 0 (layer0.conv): has 5 groups; allowed: divisors of its 3 input and 5 output "
            "channels");
  for (const int wrong : {0, -1}) {
    EXPECT_NE(error_with(0, 3, wrong), "");
  }
  EXPECT_EQ(error_with(1, 3, 5),
            "layer 1 (layer1.fully_connected): has groups, which only a convolution may have");
}

TEST(Network, LastReadersFollowResiduals) {
  RandomStream stream(1, "network_test/readers");
  for (int round = 0; round < 100; ++round) {
    const Network network = testing::random_general_network(stream);
    const std::vector<int> last = last_readers(network);
    for (TensorId tensor = 0; tensor < network.layer_count(); ++tensor) {
      for (int layer = 0; layer < network.layer_count(); ++layer) {
        const auto& inputs = network.layers[static_cast<std::size_t>(layer)].inputs;
        const bool reads = inputs[0] == tensor || inputs[1] == tensor;
        EXPECT_TRUE(!reads || layer <= last[static_cast<std::size_t>(tensor)]);
        EXPECT_TRUE(reads || layer != last[static_cast<std::size_t>(tensor)]);
      }
    }
    EXPECT_EQ(last.back(), network.layer_count());
  }
}

TEST(Network, EveryTensorMustBeRead) {
  Layer pointwise;
  pointwise.output = {4, 4, 3};
  Network network{.input = {4, 4, 3}, .layers = {pointwise, pointwise}, .names = {}};
  try {
    validate(network);
    FAIL() << "a layer that nothing reads was accepted";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(), "layer 0 (layer0.conv): nothing reads its output");
  }
  network.layers[1].inputs[0] = 1;
  validate(network);
}

TEST(Network, ValidationNamesTheLayer) {
  Network network = two_layers();
  network.layers[0].output.height = 5;
  try {
    validate(network);
    FAIL() << "a window that starts outside the input was accepted";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(),
                 "layer 0 (layer0.conv): has an output that its kernel cannot produce");
  }
  network = two_layers();
  network.layers[1].inputs[0] = 2;
  EXPECT_THROW(validate(network), InputError);
}

}  // namespace
}  // namespace patchnas
