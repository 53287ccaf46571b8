#include "arch/block_recognition.h"

#include <gtest/gtest.h>

#include "arch/arch.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

Network as_imported(Network network) {
  for (Layer& layer : network.layers) {
    layer.role = LayerRole::kImported;
    layer.stage = layer.block = -1;
  }
  return network;
}

TEST(BlockRecognition, FindsTheBlocksOfLoweredNetworks) {
  RandomStream stream(71, "block recognition");
  for (int i = 0; i < 200; ++i) {
    const Network network = testing::random_lowered_network(stream);
    Network imported = as_imported(network);
    recognise_blocks(imported);
    for (int split = 1; split <= network.layer_count(); ++split) {
      ASSERT_EQ(split_block(imported, split), split_block(network, split)) << i << ", " << split;
    }
    for (int layer = 0; layer < network.layer_count(); ++layer) {
      const LayerRole expected = network.layers[static_cast<std::size_t>(layer)].role;
      const bool is_after = expected == LayerRole::kHead || expected == LayerRole::kPool ||
                            expected == LayerRole::kClassifier;
      EXPECT_EQ(imported.layers[static_cast<std::size_t>(layer)].role,
                is_after ? LayerRole::kImported : expected);
    }
    EXPECT_EQ(as_imported(imported), as_imported(network)) << "nothing else may change";
  }
}

TEST(BlockRecognition, ChangesNothingButRolesOfAnyNetwork) {
  RandomStream stream(72, "block recognition");
  for (int i = 0; i < 200; ++i) {
    const Network network = testing::random_general_network(stream);
    Network recognised = network;
    recognise_blocks(recognised);
    EXPECT_EQ(as_imported(recognised), network);
    EXPECT_NO_THROW(validate(recognised));
  }
}

// As MobileNetV1: separable convolutions, the pointwise ones with an activation.
TEST(BlockRecognition, LeavesSeparableConvolutionsAlone) {
  Network network{.input = {16, 16, 3}, .layers = {}, .names = {}};
  Layer layer;
  layer.output = {16, 16, 8};
  layer.activation = Activation::kRelu;
  network.layers.push_back(layer);
  layer.kind = LayerKind::kDepthwiseConv2d;
  layer.inputs[0] = 1;
  network.layers.push_back(layer);
  layer.kind = LayerKind::kConv2d;
  layer.inputs[0] = 2;
  network.layers.push_back(layer);
  const Network before = network;
  recognise_blocks(network);
  EXPECT_EQ(network, before);
}

}  // namespace
}  // namespace patchnas
