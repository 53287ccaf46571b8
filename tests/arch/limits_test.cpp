// No number in a network, however extreme, may overflow: it is refused, or all sums are exact.

#include <climits>
#include <string>

#include <gtest/gtest.h>

#include "arch/arch.h"

namespace patchnas {
namespace {

// NOLINTNEXTLINE: the wider type is the reference.
__extension__ using Wide = __int128;

int extreme(RandomStream& stream, bool plausible) {
  static const std::vector<int> values{1,     1,     2,     3,     7,           32767,
                                       32768, 32769, 65535, 65536, 1 << 20,     INT_MAX,
                                       0,     -1,    46341, 1024,  INT_MAX - 1, INT_MIN};
  return plausible ? 1 + static_cast<int>(stream.below(1 << stream.below(16)))
                   : stream.pick(values);
}

Network extreme_network(RandomStream& stream) {
  const bool plausible = stream.chance(0.7);
  const auto value = [&] { return extreme(stream, plausible || stream.chance(0.5)); };
  Network network{.input = {value(), value(), value()}, .layers = {}, .names = {}};
  for (int i = 0; i < 3; ++i) {
    Layer layer;
    layer.kind = static_cast<LayerKind>(stream.below(7));
    layer.inputs = {i, layer.kind == LayerKind::kAdd ? i : kNoTensor};
    const TensorShape in = network.shape(i);
    const bool same = layer.kind == LayerKind::kAdd || layer.kind == LayerKind::kSoftmax;
    layer.output = same || stream.chance(0.3) ? in : TensorShape{value(), value(), value()};
    if (layer.kind == LayerKind::kDepthwiseConv2d && stream.chance(0.9)) {
      layer.output.channels = in.channels;
    }
    if (layer.kind == LayerKind::kFullyConnected) {
      layer.output.height = layer.output.width = 1;
    } else if (!same && stream.chance(0.5)) {
      const int kernel = value();
      layer.kernel = {kernel, kernel, 1, 1, value(), value()};
    } else if (!same) {
      layer.kernel = {value(), value(), value(), value(), 0, 0};
    }
    if (stream.chance(0.2)) {
      layer.groups = stream.chance(0.5) ? in.channels : value();
    }
    if (stream.chance(0.2)) {
      layer.pad_operator = {value(), value()};
    }
    network.layers.push_back(layer);
  }
  return network;
}

TEST(Limits, ExtremeNetworksAreRefusedOrSummedExactly) {
  RandomStream stream(81, "limits");
  int accepted = 0;
  for (int i = 0; i < 100000; ++i) {
    const Network network = extreme_network(stream);
    try {
      validate(network);
    } catch (const InputError& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      continue;
    }
    ++accepted;
    Wide macs = 0;
    Wide parameters = 0;
    for (int layer = 0; layer < network.layer_count(); ++layer) {
      const Layer& l = network.layers[static_cast<std::size_t>(layer)];
      const TensorShape& in = network.shape(l.inputs[0]);
      Wide weights = 0;
      if (l.kind == LayerKind::kFullyConnected) {
        weights = Wide{in.height} * in.width * in.channels * l.output.channels;
      } else if (l.has_weights()) {
        weights = Wide{l.kernel.height} * l.kernel.width * l.output.channels *
                  (l.kind == LayerKind::kConv2d ? in.channels / l.groups : 1);
      }
      macs += weights * l.output.height * l.output.width;
      parameters += weights + (l.has_weights() ? l.output.channels : 0);
    }
    EXPECT_TRUE(macs == network_macs(network) && parameters == parameter_count(network));

    // Halos included, as every schedule that is accepted needs them.
    const TensorShape& out = network.output();
    const TileGrid grid{1 + static_cast<int>(stream.below(static_cast<std::uint64_t>(out.height))),
                        1 + static_cast<int>(stream.below(static_cast<std::uint64_t>(out.width)))};
    if (grid.rows > 64 || grid.cols > 64) {
      continue;
    }
    const PatchSchedule schedule = PatchSchedule::leading(grid, network.layer_count());
    try {
      validate(network, schedule);
    } catch (const InputError&) {
      continue;
    }
    EXPECT_GE(scheduled_macs(network, schedule), 0);
    EXPECT_LE(scheduled_macs(network, schedule), kMostMacs);
  }
  EXPECT_GT(accepted, 1000);
}

TEST(Limits, EachHasItsText) {
  const auto error_of = [](const TensorShape& input, const TensorShape& output, int kernel) {
    Network network{.input = input, .layers = {}, .names = {}};
    Layer layer;
    layer.output = output;
    layer.kernel = {kernel, kernel, 1, 1, kernel / 2, kernel / 2};
    network.layers = {layer};
    try {
      validate(network);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(error_of({40000, 8, 1}, {8, 8, 1}, 1),
            "network input: shape 40000x8x1 is too large; allowed: up to 32768 rows and columns");
  EXPECT_EQ(error_of({8, 8, 1}, {8, 8, 70000}, 1),
            "layer 0 (layer0.conv): shape 8x8x70000 is too large; allowed: up to 65536 channels");
  EXPECT_EQ(error_of({32768, 32768, 1}, {32768, 32768, 2}, 1),
            "layer 0 (layer0.conv): shape 32768x32768x2 is too large; allowed: up to 1073741824 "
            "elements");
  EXPECT_EQ(error_of({8, 8, 65536}, {8, 8, 65536}, 1),
            "layer 0 (layer0.conv): has 4294967296 weights; allowed: up to 2147483648");
  EXPECT_EQ(error_of({8, 8, 1}, {8, 8, 1}, 40001),
            "layer 0 (layer0.conv): kernel and stride must be from 1 to 32768");
  EXPECT_EQ(error_of({8192, 8192, 16}, {8192, 8192, 16}, 1023),
            "layer 0 (layer0.conv): the network needs more than 9007199254740992 "
            "multiply-accumulates up to here");
  Network network{.input = {8, 8, 1}, .layers = {}, .names = {}};
  for (int i = 0; i <= kMostLayers; ++i) {
    Layer layer;
    layer.inputs[0] = i;
    layer.output = network.input;
    network.layers.push_back(layer);
  }
  EXPECT_THROW(validate(network), InputError);
  network.layers.pop_back();
  EXPECT_NO_THROW(validate(network));
}

TEST(Limits, SchedulesWhoseHalosCouldOverflowAreRefused) {
  Network network{.input = {8192, 8192, 16}, .layers = {}, .names = {}};
  Layer layer;
  layer.output = {8192, 8192, 16};
  layer.kernel = {511, 511, 1, 1, 255, 255};
  network.layers = {layer};
  ASSERT_NO_THROW(validate(network));
  EXPECT_NO_THROW(validate(network, PatchSchedule::leading({1, 2}, 1)));
  EXPECT_THROW(validate(network, PatchSchedule::leading({64, 64}, 1)), InputError);
}

}  // namespace
}  // namespace patchnas
