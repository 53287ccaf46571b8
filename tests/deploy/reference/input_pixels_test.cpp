#include "deploy/reference/input_pixels.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "arch/base/random.h"
#include "arch/float_network.h"

namespace patchnas {
namespace {

std::vector<std::uint8_t> all_pixels() {
  std::vector<std::uint8_t> pixels(256);
  std::iota(pixels.begin(), pixels.end(), std::uint8_t{0});
  return pixels;
}

EndFormat int8_input(const TensorQuantisation& int8) { return {.end = {}, .int8 = int8}; }
EndFormat uint8_input(const TensorQuantisation& uint8, const TensorQuantisation& int8) {
  return {.end = {.numbers = EndNumbers::kUint8, .uint8 = uint8}, .int8 = int8};
}
EndFormat float_input(const TensorQuantisation& int8) {
  return {.end = {.numbers = EndNumbers::kFloat32}, .int8 = int8};
}

TEST(InputPixelsTest, ScalesOfFilesAreTakenForWhatTheyAreMadeFor) {
  const auto range = [](float scale, int zero_point) {
    const auto usual = usual_range(int8_input({scale, zero_point}));
    return usual ? usual->name : "none";
  };
  EXPECT_EQ(range(1.0F / 255, -128), "[0, 1]");
  EXPECT_EQ(range(0.0039F, -128), "[0, 1]");
  EXPECT_EQ(range(1.0F / 127.5F, -1), "[-1, 1]");
  EXPECT_EQ(range(1.0F / 127.5F, 0), "[-1, 1]");
  EXPECT_EQ(range(1.0F / 127, 0), "[-1, 1]");
  EXPECT_EQ(range(1.0F / 128, 0), "[-1, 1]");
  EXPECT_EQ(range(1.0F, -128), "[0, 255]");
  EXPECT_EQ(range(1.0F, 0), "[-128, 127]");
  EXPECT_EQ(range(1.0F / 64, 0), "none");
  EXPECT_EQ(range(1.0F / 255, 0), "none");
  EXPECT_EQ(range(0.0187F, -14), "none");
}

TEST(InputPixelsTest, InAnyUsualRangeInt8IsThePixelLess128) {
  for (const float scale : {1.0F / 255, 1.0F / 127.5F, 1.0F / 128, 1.0F}) {
    for (const int zero_point : {-128, -1, 0}) {
      const EndFormat input = int8_input({scale, zero_point});
      const auto usual = usual_range(input);
      if (!usual) {
        continue;
      }
      const std::vector<std::int8_t> stored = PixelEncoder(input, *usual)(all_pixels());
      for (int pixel = 0; pixel < 256; ++pixel) {
        EXPECT_EQ(stored[static_cast<std::size_t>(pixel)], pixel - 128);
        // What the numbers themselves would be is never more than the tolerance away.
        const double real = (pixel - usual->normalisation.mean) / usual->normalisation.stddev;
        EXPECT_LE(std::abs(real / scale + zero_point - (pixel - 128)), 2.0);
      }
    }
  }
}

TEST(InputPixelsTest, OurOwnNetworksReadThePixelLess128ByAnyNormalisation) {
  RandomStream stream(1, "test/input pixels/own");
  for (int i = 0; i < 100; ++i) {
    const PixelNormalisation own{.mean = static_cast<int>(stream.below(256)),
                                 .stddev = 1.0 + 200.0 * stream.uniform()};
    const ChannelNormalisation channel{static_cast<double>(own.mean), own.stddev};
    const EndFormat input =
        int8_input({static_cast<float>(1.0 / own.stddev), own.mean - kPixelOffset});
    EXPECT_TRUE(fills_int8(channel, input.int8));
    const auto stored = PixelEncoder(input, std::span(&channel, 1))(all_pixels());
    for (int pixel = 0; pixel < 256; ++pixel) {
      EXPECT_EQ(stored[static_cast<std::size_t>(pixel)],
                stored_pixel(static_cast<std::uint8_t>(pixel)));
    }
  }
}

TEST(InputPixelsTest, GivenNumbersGoThroughTheFilesScaleByChannel) {
  RandomStream stream(2, "test/input pixels/given");
  for (int i = 0; i < 200; ++i) {
    const TensorQuantisation int8{static_cast<float>(0.003 + 0.05 * stream.uniform()),
                                  static_cast<int>(stream.below(256)) - 128};
    const TensorQuantisation uint8{int8.scale, int8.zero_point + 128};
    const ChannelNormalisation channels[]{
        {255.0 * stream.uniform(), 1.0 + 99.0 * stream.uniform()},
        {255.0 * stream.uniform(), 1.0 + 99.0 * stream.uniform()},
        {255.0 * stream.uniform(), 1.0 + 99.0 * stream.uniform()}};
    const std::vector<std::uint8_t> pixels = [&] {
      std::vector<std::uint8_t> values(3 * 50);
      for (std::uint8_t& value : values) {
        value = static_cast<std::uint8_t>(stream.below(256));
      }
      return values;
    }();
    const auto stored = PixelEncoder(int8_input(int8), channels)(pixels);
    for (std::size_t j = 0; j < pixels.size(); ++j) {
      const ChannelNormalisation& channel = channels[j % 3];
      const double real = (pixels[j] - channel.mean) / channel.stddev;
      const double exact = std::clamp(real / int8.scale + int8.zero_point, -128.0, 127.0);
      EXPECT_NEAR(stored[j], exact, 0.501);
    }
    // The same numbers by whichever type the file has at its input.
    EXPECT_EQ(PixelEncoder(float_input(int8), channels)(pixels), stored);
    EXPECT_EQ(PixelEncoder(uint8_input(uint8, int8), channels)(pixels), stored);
  }
}

TEST(InputPixelsTest, Uint8ReadsPixelsAndFloat32TheirRange) {
  const TensorQuantisation int8{1.0F / 255, -128};
  const EndFormat uint8 = uint8_input({1.0F / 255, 0}, int8);
  const auto bytes = PixelEncoder(uint8, *usual_range(uint8))(all_pixels());
  const EndFormat real = float_input(int8);
  const auto reals = PixelEncoder(real, *usual_range(real))(all_pixels());
  for (int pixel = 0; pixel < 256; ++pixel) {
    EXPECT_EQ(bytes[static_cast<std::size_t>(pixel)], pixel - 128);
    EXPECT_EQ(reals[static_cast<std::size_t>(pixel)], pixel - 128);
  }
}

}  // namespace
}  // namespace patchnas
