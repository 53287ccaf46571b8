#include "arch/network_description.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/arch.h"
#include "tests/support/network_json.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using testing::conv_layer_json;
using testing::network_description_json;

TEST(NetworkDescription, SaysWhatALoweredNetworkIs) {
  RandomStream stream(61, "network description");
  for (int i = 0; i < 200; ++i) {
    SearchSpace space = testing::random_space(stream);
    space.padding = Padding::kSymmetric;
    Network network = lower(space, sample(space, stream));
    Network read = read_network_description(
        network_description_json(network, i % 2 == 0 ? testing::DescriptionSpelling::kOnceForAll
                                                     : testing::DescriptionSpelling::kProxylessNas),
        "net.json", {});
    for (int split = 1; split <= network.layer_count(); ++split) {
      EXPECT_EQ(split_block(read, split), split_block(network, split)) << i;
    }
    for (Network* const either : {&network, &read}) {
      for (Layer& layer : either->layers) {
        layer.stage = layer.block = -1;  // spaces number their stages otherwise
      }
    }
    ASSERT_EQ(read, network) << i;
  }
}

// One stem, two blocks, a classifier.
std::string small(const std::string& first_block = "", const std::string& second_block = "",
                  const std::string& stem = "") {
  const auto block = [](const std::string& extra, int in, int stride) {
    return R"({"name": "MobileInvertedResidualBlock", "mobile_inverted_conv": {"name": )"
           R"("MBInvertedConvLayer", "kernel_size": 3, "act_func": "relu6", "in_channels": )" +
           std::to_string(in) + R"(, "stride": )" + std::to_string(stride) +
           (extra.empty() ? R"(, "expand_ratio": 6, "out_channels": 8}, "shortcut": null})"
                          : extra);
  };
  return R"({"first_conv": )" + (stem.empty() ? conv_layer_json(3, 2, 3, 8) : stem) +
         R"(, "blocks": [)" + block(first_block, 8, 1) + ", " + block(second_block, 8, 2) +
         R"(], "classifier": {"name": "LinearLayer", "in_features": 8, "out_features": 10}})";
}

std::string error_of(const std::string& text) {
  try {
    read_network_description(text, "net.json", 32);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(NetworkDescription, ResolutionIsGivenOrTheDescriptionsOr224) {
  EXPECT_EQ(read_network_description(small(), "net.json", {}).input, (TensorShape{224, 224, 3}));
  EXPECT_EQ(read_network_description(small(), "net.json", 96).input, (TensorShape{96, 96, 3}));
  for (const int wrong : {-1, 0, 7, 4097, std::numeric_limits<int>::max()}) {
    EXPECT_THROW(read_network_description(small(), "net.json", wrong), InputError) << wrong;
  }
  EXPECT_THAT(error_of(""), HasSubstr("net.json: must be a mapping"));
  EXPECT_EQ(error_of(small()), "");
}

TEST(NetworkDescription, ZeroLayersAndShortcutsOfThemAddNothing) {
  const int layers = read_network_description(small(), "net.json", 32).layer_count();
  const std::string zero_block =
      R"({"name": "MobileInvertedResidualBlock", "mobile_inverted_conv": {"name": "ZeroLayer", )"
      R"("stride": 1}, "shortcut": {"name": "IdentityLayer"}}, )";
  std::string text = small();
  text.insert(text.find("\"blocks\": [") + 11, zero_block);
  EXPECT_EQ(read_network_description(text, "net.json", 32).layer_count(), layers);
  const std::string zero_shortcut =
      R"(, "expand_ratio": 6, "out_channels": 8}, "shortcut": {"name": "ZeroLayer"}})";
  EXPECT_EQ(read_network_description(small(zero_shortcut), "net.json", 32).layer_count(), layers);
  const std::string identity =
      R"(, "expand_ratio": 6, "out_channels": 8}, "shortcut": {"name": "IdentityLayer"}})";
  EXPECT_EQ(read_network_description(small(identity), "net.json", 32).layer_count(), layers + 1);
}

TEST(NetworkDescription, FeatureMixFollowsThePoolingAfterAFinalExpansion) {
  std::string text = small();
  const std::string layers = R"("final_expand_layer": )" + conv_layer_json(1, 1, 8, 16) +
                             R"(, "feature_mix_layer": )" + conv_layer_json(1, 1, 16, 8) + ", ";
  text.insert(text.find("\"classifier\""), layers);
  const Network network = read_network_description(text, "net.json", 32);
  const auto last = static_cast<std::size_t>(network.layer_count()) - 1;
  EXPECT_EQ(network.layers[last - 3].output, (TensorShape{8, 8, 16}));
  EXPECT_EQ(network.layers[last - 2].role, LayerRole::kPool);
  EXPECT_EQ(network.layers[last - 1].output, (TensorShape{1, 1, 8}));
}

TEST(NetworkDescription, BlocksThatNameNoActivationHaveRelu6) {
  const std::string text = small();
  const std::string name = R"("act_func": "relu6", "in_channels": 8, "stride": 1, )";
  const auto activation_with = [&](const std::string& other) {
    std::string changed = text;
    changed.replace(changed.find(name), name.size(), other);
    return read_network_description(changed, "net.json", 32).layers[1].activation;
  };
  EXPECT_EQ(activation_with(R"("in_channels": 8, "stride": 1, )"), Activation::kRelu6);
  EXPECT_EQ(activation_with(R"("act_func": null, "in_channels": 8, "stride": 1, )"),
            Activation::kNone);
}

// As MobileNetV3's.
TEST(NetworkDescription, StemAndHeadMayHaveHardSwish) {
  const auto swishes = [](std::string layer) {
    return layer.replace(layer.find("relu6"), 5, "h_swish");
  };
  std::string text = small("", "", swishes(conv_layer_json(3, 2, 3, 8)));
  text.insert(text.find("\"classifier\""),
              R"("feature_mix_layer": )" + swishes(conv_layer_json(1, 1, 8, 8)) + ", ");
  const Network network = read_network_description(text, "net.json", 32);
  EXPECT_EQ(network.layer_name(1), "stem_activation");
  EXPECT_EQ(network.layers[1].function, ValueFunction::kHardSwish);
  EXPECT_FALSE(ends_block(network, 0));
  EXPECT_TRUE(ends_block(network, 1));
  EXPECT_EQ(network.layer_name(network.layer_count() - 3), "head_activation");
}

TEST(NetworkDescription, ConvLayersMayHaveGroups) {
  const auto described = [](int groups) {
    std::string layer = conv_layer_json(1, 1, 8, 16);
    layer.replace(layer.find(R"("groups": 1)"), 11, R"("groups": )" + std::to_string(groups));
    std::string text = small();
    text.replace(text.find(R"("in_features": 8)"), 16, R"("in_features": 16)");
    return text.insert(text.find("\"classifier\""), R"("feature_mix_layer": )" + layer + ", ");
  };
  const Network network = read_network_description(described(4), "net.json", 32);
  const Layer& head = network.layers[static_cast<std::size_t>(network.layer_count()) - 3];
  EXPECT_EQ(head.role, LayerRole::kHead);
  EXPECT_EQ(head.groups, 4);
  EXPECT_THAT(
      error_of(described(3)),
      HasSubstr("feature_mix_layer.groups: 3 do not divide 8 input and 16 output channels"));
}

TEST(NetworkDescription, EveryRefusalNamesTheBlockAndWhatIsAllowed) {
  const auto second = [](const std::string& rest) { return error_of(small("", rest)); };
  const std::string end = R"(}, "shortcut": null})";
  const std::string usual = R"(, "expand_ratio": 6, "out_channels": 8)";
  EXPECT_THAT(second(usual + R"(, "has_shuffle": true)" + end),
              AllOf(HasSubstr("net.json:1:"),
                    HasSubstr("blocks[1].mobile_inverted_conv.has_shuffle: is not supported; "
                              "allowed: false")));
  EXPECT_THAT(second(usual + R"(, "groups": 4)" + end),
              HasSubstr("blocks[1].mobile_inverted_conv.groups: 4 is out of range; allowed: 1"));
  EXPECT_THAT(second(usual + R"(}, "shortcut": {"name": "IdentityLayer"}})"),
              HasSubstr("blocks[1].shortcut: adds an input of another shape"));
  EXPECT_THAT(second(R"(, "expand_ratio": 1, "mid_channels": 48, "out_channels": 8)" + end),
              HasSubstr("blocks[1].mobile_inverted_conv.mid_channels: 48 needs an expand_ratio"));
  EXPECT_THAT(error_of(small(R"(, "expand_ratio": 6, "out_channels": 16)" + end)),
              HasSubstr("blocks[1].mobile_inverted_conv.in_channels: 8 do not fit the 16"));
  std::string text = small();
  text.replace(text.rfind("MBInvertedConvLayer"), 19, "LSTM");
  EXPECT_THAT(error_of(text), HasSubstr("'LSTM' is unknown; allowed: MBInvertedConvLayer"));
  text = small();
  text.replace(text.rfind("relu6"), 5, "swish");
  EXPECT_THAT(error_of(text), HasSubstr("blocks[1].mobile_inverted_conv.act_func: 'swish'"));
  std::string swish = conv_layer_json(3, 2, 3, 8);
  swish.replace(swish.find("relu6"), 5, "swish");
  EXPECT_THAT(
      error_of(small("", "", swish)),
      HasSubstr("first_conv.act_func: 'swish' is unknown; allowed: none, relu, relu6, h_swish"));
  EXPECT_THAT(error_of(small("", "", conv_layer_json(4, 2, 3, 8))), HasSubstr("4 is even"));
}

}  // namespace
}  // namespace patchnas
