// The published networks: what their descriptions say is what their .tflite files compute.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include <gtest/gtest.h>

#include "arch/arch.h"
#include "deploy/tflite/tflite_import.h"
#include "tests/deploy/support/random_quantised.h"

namespace patchnas {
namespace {

std::optional<std::filesystem::path> published(const std::string& file) {
  const std::filesystem::path path = testing::shared_models() / file;
  return std::filesystem::exists(path) ? std::optional(path) : std::nullopt;
}

Network described(const std::filesystem::path& path) {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return read_network_description(text, path.string(), std::nullopt);
}

// Everything but names, roles, and how a layer that sees one pixel is written.
struct Shape {
  TensorShape input;
  TensorShape output;
  Kernel kernel;
  std::int64_t macs = 0;
  bool operator==(const Shape&) const = default;
};

std::vector<Shape> shapes(const Network& network) {
  std::vector<Shape> result;
  for (int i = 0; i < network.layer_count(); ++i) {
    const Layer& layer = network.layers[static_cast<std::size_t>(i)];
    const bool is_window =
        layer.kind == LayerKind::kConv2d || layer.kind == LayerKind::kDepthwiseConv2d;
    result.push_back({network.shape(layer.inputs[0]), layer.output,
                      is_window ? layer.kernel : Kernel{}, layer_macs(network, i)});
  }
  return result;
}

class DescribedModel : public ::testing::TestWithParam<const char*> {};

TEST_P(DescribedModel, HasTheLayersOfItsFile) {
  const auto json = published(std::string(GetParam()) + ".json");
  const auto tflite = published(std::string(GetParam()) + ".tflite");
  if (!json || !tflite) {
    GTEST_SKIP() << "no reference networks";
  }
  const Network description = described(*json);
  Network file = import_tflite_structure_file(*tflite).network;
  EXPECT_EQ(shapes(description), shapes(file));
  recognise_blocks(file);
  for (int split = 1; split <= file.layer_count(); ++split) {
    EXPECT_EQ(split_block(file, split), split_block(description, split)) << split;
  }
}

INSTANTIATE_TEST_SUITE_P(Published, DescribedModel,
                         ::testing::Values("mcunet-10fps_vww", "mcunet-5fps_vww",
                                           "mcunet-256kb-1mb_imagenet"),
                         [](const auto& name) {
                           std::string text = name.param;
                           std::replace(text.begin(), text.end(), '-', '_');
                           return text;
                         });

struct PublishedMacs {
  const char* file;
  double millions;
  double tolerance;  // half of the last published digit
};

class MacsOf : public ::testing::TestWithParam<PublishedMacs> {};

TEST_P(MacsOf, AreThePublishedOnes) {
  const auto path = published(GetParam().file);
  if (!path) {
    GTEST_SKIP() << "no reference networks";
  }
  const Network network =
      path->extension() == ".json" ? described(*path) : import_tflite_structure_file(*path).network;
  EXPECT_NEAR(static_cast<double>(network_macs(network)) / 1e6, GetParam().millions,
              GetParam().tolerance);
}

INSTANTIATE_TEST_SUITE_P(
    Published, MacsOf,
    ::testing::Values(PublishedMacs{"mcunet-10fps_vww.tflite", 6.0, 0.05},
                      PublishedMacs{"mcunet-10fps_vww.json", 6.0, 0.05},
                      PublishedMacs{"mcunet-5fps_vww.tflite", 11.6, 0.05},
                      PublishedMacs{"mcunet-5fps_vww.json", 11.6, 0.05},
                      PublishedMacs{"mcunet-256kb-1mb_imagenet.tflite", 67.3, 0.05},
                      PublishedMacs{"mcunet-256kb-1mb_imagenet.json", 67.3, 0.05},
                      PublishedMacs{"mbv2-w0.35-r144_imagenet.json", 23.5, 0.05},
                      PublishedMacs{"proxyless-w0.25-r112_imagenet.json", 10.7, 0.05},
                      PublishedMacs{"tinyengine_vww_int8.tflite", 11.58, 0.005},
                      PublishedMacs{"mlperf_vww_96_int8.tflite", 7.49, 0.005},
                      PublishedMacs{"mlperf_resnet8_int8.tflite", 12.50, 0.005}),
    [](const auto& model) {
      std::string text = model.param.file;
      std::replace_if(
          text.begin(), text.end(), [](char c) { return c == '-' || c == '.'; }, '_');
      return text;
    });

TEST(PublishedDescriptions, WithSkippedBlocksAndAFeatureMixAreRead) {
  for (const char* const name :
       {"mbv2-w0.35-r144_imagenet.json", "proxyless-w0.25-r112_imagenet.json"}) {
    const auto path = published(name);
    if (!path) {
      GTEST_SKIP() << "no reference networks";
    }
    const Network network = described(*path);
    EXPECT_EQ(network.output().channels, 1000);
    const auto last = static_cast<std::size_t>(network.layer_count()) - 1;
    EXPECT_EQ(network.layers[last - 2].role, LayerRole::kHead);
  }
}

}  // namespace
}  // namespace patchnas
