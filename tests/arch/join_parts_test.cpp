#include "arch/join_parts.h"

#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "arch/patch_schedule.h"

namespace patchnas {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Layer convolution(TensorId input, int channels) {
  return {.inputs = {input, kNoTensor}, .output = {4, 4, channels}, .kernel = {}};
}

Layer copy(TensorId input, TensorId rest, int to, int count) {
  return {.kind = LayerKind::kCopyChannels,
          .inputs = {input, rest},
          .output = {4, 4, 9},
          .kernel = {},
          .channels = {.from = 0, .to = to, .count = count}};
}

// Two convolutions and a pooling of one tensor, concatenated in another order than they are
// computed in.
Network concatenation() {
  Network network{.input = {4, 4, 2}, .layers = {convolution(0, 2)}, .names = {}};
  network.layers.push_back(convolution(1, 3));
  network.layers.push_back({.kind = LayerKind::kMaxPool,
                            .inputs = {1, kNoTensor},
                            .output = {4, 4, 2},
                            .kernel = {3, 3, 1, 1, 1, 1}});
  network.layers.push_back(convolution(1, 4));
  network.layers.push_back(copy(4, kNoTensor, 0, 4));
  network.layers.push_back(copy(3, 5, 4, 2));
  network.layers.push_back(copy(2, 6, 6, 3));
  network.layers.push_back(convolution(7, 1));
  network.names = {"stem", "a", "pool", "b", "first", "second", "third", "head"};
  validate(network);
  return network;
}

TEST(JoinParts, ConvolutionsWriteTheirChannelsInTheOrderTheyAreComputedIn) {
  const Network joined = with_joined_parts(concatenation());
  validate(joined);
  EXPECT_THAT(joined.names, ElementsAre("stem", "a", "pool", "second", "b", "head"));
  EXPECT_EQ(joined.layers[1].inputs, (std::array{1, kNoTensor}));
  EXPECT_EQ(joined.layers[1].channels, (ChannelRange{.from = 0, .to = 6, .count = 3}));
  EXPECT_EQ(joined.layers[3].inputs, (std::array{3, 2}));
  EXPECT_EQ(joined.layers[4].inputs, (std::array{1, 4}));
  EXPECT_EQ(joined.layers[4].output, (TensorShape{4, 4, 9}));
  EXPECT_EQ(network_macs(joined), network_macs(concatenation()));
  EXPECT_EQ(parameter_count(joined), parameter_count(concatenation()));
}

TEST(JoinParts, LeavesWhatOthersReadOrWhatIsNoOutputOfAConvolution) {
  Network network = concatenation();
  network.outputs = {2, 4, 8};  // of both convolutions
  EXPECT_EQ(with_joined_parts(network), network);
  network = concatenation();
  network.layers[6].channels.count = 2;  // the last channel is the first copy's constant
  network.layers[1].output.channels = 2;
  EXPECT_EQ(with_joined_parts(network), network);
}

TEST(JoinParts, AnOutputOfTheNetworkKeepsItsName) {
  Network network = concatenation();
  network.outputs = {7, 8};
  const Network joined = with_joined_parts(network);
  EXPECT_THAT(joined.outputs, ElementsAre(5, 6));
  EXPECT_EQ(joined.layer_name(4), "third");
}

std::string refusal(const std::function<void()>& check) {
  try {
    check();
  } catch (const InputError& error) {
    return error.what();
  }
  return {};
}

TEST(JoinParts, PartsThatDoNotMakeUpTheirTensorAreRefused) {
  const auto refused = [](const std::function<void(Network&)>& change) {
    Network network = with_joined_parts(concatenation());
    change(network);
    return refusal([&] { validate(network); });
  };
  EXPECT_EQ(refused([](Network& n) { n.layers[4].channels.to = 1; }),
            "layer 5 (head): reads channels that are not written yet");
  EXPECT_EQ(refused([](Network& n) { n.layers[4].channels.to = 6; }),
            "layer 4 (b): writes channels that its output does not have");
  EXPECT_EQ(refused([](Network& n) { n.layers[4].inputs[0] = 4; }),
            "layer 4 (b): reads channels that are not written yet");
  EXPECT_EQ(refused([](Network& n) { n.layers[4].kernel.dilation_h = 2; }),
            "layer 4 (b): writes a part of its output, which only a convolution without groups or "
            "dilation may");
  EXPECT_EQ(refused([](Network& n) {
              n.outputs = {4, 6};
            }),
            "layer 4 (b): writes over what others read");
  EXPECT_EQ(refused([](Network& n) { n.layers[4].channels = {}; }),
            "layer 4 (b): reads a tensor that does not exist yet");
}

TEST(JoinParts, SegmentsHoldAllLayersThatWriteATensorOrNone) {
  const Network network = with_joined_parts(concatenation());
  const auto refused = [&](const Segment& segment) {
    return refusal([&] { validate(network, {{segment}}); });
  };
  EXPECT_EQ(refused(Segment::rows(0, 5, 1, 1)), "");
  EXPECT_EQ(refused(Segment::rows(0, 3, 1, 1)), "");
  EXPECT_THAT(refused(Segment::rows(4, 6, 1, 1)),
              HasSubstr("layer 4 (b) writes channels of a tensor that layers before the segment"));
  EXPECT_THAT(
      refused(Segment::patches(0, 5, {2, 2})),
      HasSubstr("layer 1 (a) writes a part of its output's channels, which patches cannot"));
}

}  // namespace
}  // namespace patchnas
