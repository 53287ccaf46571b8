#include "arch/search_space.h"

#include <set>

#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

constexpr const char* kSmallSpace = R"(
classes: 3
input_channels: 1
resolution: [16, 24]
channel_divisor: 4
width_multiplier: [0.5, 1.0]
stem: {width: 8, stride: 2}
stages:
  - {width: 8, stride: 1, depth: [1, 2], kernel_size: [3], expand_ratio: [1, 2]}
  - {width: 16, stride: 2, depth: [1], kernel_size: [3, 5], expand_ratio: [2]}
)";

SearchSpace small_space() {
  return parse_search_space(YamlReader::parse_text(kSmallSpace, "small.yaml"));
}

std::string error_of(const std::string& text) {
  try {
    parse_search_space(YamlReader::parse_text(text, "space.yaml"));
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  text.replace(text.find(from), from.size(), to);
  return text;
}

TEST(SearchSpace, CountsEveryArchitectureOnce) {
  const SearchSpace space = small_space();
  // resolutions 2; stage 0: 1 * 2 * 2 choices a block, depth 1 or 2: 4 + 16; stage 1: 2 * 1 * 2.
  EXPECT_EQ(count_architectures(space), "160");
  std::set<Architecture> seen;
  RandomStream stream(1, "space_test/count");
  for (int i = 0; i < 5000; ++i) {
    seen.insert(sample(space, stream));
  }
  EXPECT_EQ(seen.size(), 160U);
}

TEST(SearchSpace, CountsBeyondMachineIntegers) {
  SearchSpace space = small_space();
  space.resolutions = {16, 24, 32, 40, 48, 56};
  StageSpace stage;
  stage.depths = {4};
  stage.kernel_sizes = {3, 5, 7};
  stage.expand_ratios = {3, 4, 6};
  stage.widths = {8, 12, 16};
  space.stages.assign(7, stage);
  EXPECT_EQ(count_architectures(space), "71835091095372118731616440160302282634086");  // 6 * 27^28
}

TEST(SearchSpace, SamplesMutantsAndChildrenStayInside) {
  RandomStream stream(2, "space_test/inside");
  for (int round = 0; round < 200; ++round) {
    const SearchSpace space = testing::random_space(stream);
    const Architecture a = sample(space, stream);
    const Architecture b = sample(space, stream);
    for (const Architecture& candidate :
         {a, b, largest(space), smallest(space), mutate(space, a, 0.3, stream),
          crossover(space, a, b, stream)}) {
      EXPECT_TRUE(contains(space, candidate).contained) << contains(space, candidate).reason;
      EXPECT_EQ(parse_architecture(to_json(candidate), "test"), candidate);
      EXPECT_NO_THROW(validate(lower(space, candidate)));
    }
    EXPECT_EQ(mutate(space, a, 0.0, stream), a);
    EXPECT_EQ(crossover(space, a, a, stream), a);
  }
}

TEST(SearchSpace, YamlRoundTrips) {
  RandomStream stream(2, "space_test/yaml");
  for (int round = 0; round < 50; ++round) {
    SearchSpace space = testing::random_space(stream);
    space.resolutions = {16, 21};  // none below the largest total stride
    for (StageSpace& stage : space.stages) {
      stage.residual = stream.chance(0.5);
    }
    EXPECT_EQ(parse_search_space(YamlReader::parse_text(to_yaml(space, 0), "resolved")), space);
  }
}

TEST(SearchSpace, LoweringGivesInvertedResiduals) {
  const SearchSpace space = small_space();
  const Architecture architecture{24, {{{3, 2, 8}, {3, 1, 8}}, {{5, 2, 16}}}};
  const Network network = lower(space, architecture);
  std::vector<std::string> names;
  for (int i = 0; i < network.layer_count(); ++i) {
    names.push_back(network.layer_name(i));
  }
  EXPECT_EQ(names, (std::vector<std::string>{
                       "stem", "stage0.block0.expand", "stage0.block0.depthwise",
                       "stage0.block0.project", "stage0.block0.add", "stage0.block1.depthwise",
                       "stage0.block1.project", "stage0.block1.add", "stage1.block0.expand",
                       "stage1.block0.depthwise", "stage1.block0.project", "pool", "classifier"}));
  EXPECT_EQ(network.shape(1), (TensorShape{12, 12, 8}));
  EXPECT_EQ(network.shape(11), (TensorShape{6, 6, 16}));
  EXPECT_EQ(network.layers[0].kernel,
            (Kernel{3, 3, 2, 2, 0, 0}));  // SAME pads an even image at the end only
  EXPECT_EQ(network.layers[9].kernel, (Kernel{5, 5, 2, 2, 1, 1}));
}

TEST(SearchSpace, LoweringGivesHardSwishAndSqueezeExcitation) {
  SearchSpace space = small_space();
  space.stages[1].activations = {BlockActivation::kHardSwish};
  space.stages[1].squeeze_excitations = {SqueezeExcitation::kPresent};
  const Network network = lower(space, largest(space));
  std::vector<std::string> names;
  for (int i = 0; i < network.layer_count(); ++i) {
    if (network.layers[static_cast<std::size_t>(i)].stage == 1) {
      names.push_back(network.layer_name(i).substr(std::string("stage1.block0.").size()));
    }
  }
  EXPECT_EQ(names, (std::vector<std::string>{"expand", "expand_activation", "depthwise",
                                             "depthwise_activation", "squeeze", "squeeze_reduce",
                                             "squeeze_expand", "gate", "excite", "project"}));
  const int excite = network.layer_count() - 4;
  EXPECT_EQ(network.layers[static_cast<std::size_t>(excite)].inputs,
            (std::array{excite - 4, excite}));
  EXPECT_EQ(network.shape(excite - 2), (TensorShape{1, 1, 8}));  // a quarter of 16, in eights
  EXPECT_EQ(network.shape(excite), (TensorShape{1, 1, 16}));
  EXPECT_EQ(network.shape(excite + 1), network.shape(excite - 4));
}

// Other spaces, and their runs, know nothing of choices that they do not offer.
TEST(SearchSpace, ChoicesThatAreNotOfferedLeaveNoTrace) {
  RandomStream stream(5, "space_test/trace");
  for (int round = 0; round < 50; ++round) {
    SearchSpace plain = testing::random_space(stream);
    SearchSpace fixed = plain;
    for (StageSpace& stage : plain.stages) {
      stage.activations = {BlockActivation::kRelu6};
      stage.squeeze_excitations = {SqueezeExcitation::kAbsent};
    }
    for (StageSpace& stage : fixed.stages) {
      stage.activations = {BlockActivation::kHardSwish};
      stage.squeeze_excitations = {SqueezeExcitation::kPresent};
    }
    RandomStream one(static_cast<std::uint64_t>(round), "space_test/draws");
    RandomStream other = one;
    const auto draw = [](const SearchSpace& space, RandomStream& draws) {
      const Architecture a = sample(space, draws);
      return crossover(space, mutate(space, a, 0.5, draws), sample(space, draws), draws);
    };
    Architecture expected = draw(plain, one);
    EXPECT_EQ(to_json(expected).find("activation"), std::string::npos);
    EXPECT_EQ(to_json(expected).find("squeeze"), std::string::npos);
    EXPECT_EQ(to_yaml(plain, 0).find("activation"), std::string::npos);
    EXPECT_EQ(to_yaml(plain, 0).find("squeeze"), std::string::npos);
    for (auto& blocks : expected.stages) {
      for (BlockChoice& block : blocks) {
        block.activation = BlockActivation::kHardSwish;
        block.squeeze_excitation = SqueezeExcitation::kPresent;
      }
    }
    EXPECT_EQ(draw(fixed, other), expected) << "the same numbers were drawn";
    EXPECT_EQ(one.next(), other.next());
  }
}

TEST(SearchSpace, GroupsAreThoseOfTheStages1x1Convolutions) {
  RandomStream stream(3, "space_test/groups");
  for (int round = 0; round < 100; ++round) {
    SearchSpace space = testing::random_space(stream);
    space.resolutions = {16, 21};
    space.stem_width = 4;
    for (StageSpace& stage : space.stages) {
      stage.widths = {4, 8};
      stage.groups = stream.pick(std::vector<int>{1, 2, 4});
    }
    EXPECT_EQ(parse_search_space(YamlReader::parse_text(to_yaml(space, 0), "resolved")), space);
    SearchSpace plain_space = space;
    for (StageSpace& stage : plain_space.stages) {
      stage.groups = 1;
    }
    const Architecture architecture = sample(space, stream);
    Network expected = lower(plain_space, architecture);
    for (Layer& layer : expected.layers) {
      if (layer.role == LayerRole::kExpand || layer.role == LayerRole::kProject) {
        layer.groups = space.stages[static_cast<std::size_t>(layer.stage)].groups;
      }
    }
    EXPECT_EQ(lower(space, architecture), expected) << "the shuffle is no layer";
  }
}

TEST(SearchSpace, AStageWithoutResidualsHasTheOtherLayers) {
  RandomStream stream(4, "space_test/residual");
  for (int round = 0; round < 100; ++round) {
    SearchSpace space = testing::random_space(stream);
    const Architecture architecture = sample(space, stream);
    const auto roles_without_adds = [&](const Network& network) {
      std::vector<std::pair<LayerRole, TensorShape>> roles;
      for (const Layer& layer : network.layers) {
        const bool may_add =
            layer.stage < 0 || space.stages[static_cast<std::size_t>(layer.stage)].residual;
        EXPECT_TRUE(layer.role != LayerRole::kResidual || may_add);
        if (layer.role != LayerRole::kResidual) {
          roles.emplace_back(layer.role, layer.output);
        }
      }
      return roles;
    };
    const auto with_adds = roles_without_adds(lower(space, architecture));
    for (StageSpace& stage : space.stages) {
      stage.residual = stream.chance(0.5);
    }
    EXPECT_EQ(roles_without_adds(lower(space, architecture)), with_adds);
  }
}

TEST(SearchSpace, RejectsWhatItDoesNotOffer) {
  const SearchSpace space = small_space();
  Architecture architecture = smallest(space);
  architecture.stages[0][0].kernel_size = 5;
  EXPECT_EQ(contains(space, architecture).reason, "stage 0: kernel 5 is not offered; allowed: [3]");
  Architecture excited = smallest(space);
  excited.stages[1][0].squeeze_excitation = SqueezeExcitation::kPresent;
  EXPECT_EQ(contains(space, excited).reason,
            "stage 1: squeeze_excitation true is not offered; allowed: [false]");
  EXPECT_THROW(lower(space, architecture), InputError);
}

TEST(SearchSpace, ErrorsSayWhereAndWhatIsAllowed) {
  EXPECT_EQ(error_of(replaced(kSmallSpace, "kernel_size: [3, 5]", "kernal_size: [3, 5]")),
            "space.yaml:10:40: stages[1].kernal_size: unknown key; did you mean 'kernel_size'?");
  EXPECT_EQ(error_of(replaced(kSmallSpace, "[3, 5]", "[3, 4]")),
            "space.yaml:10:53: stages[1].kernel_size: kernel size 4 is even; allowed: odd sizes, 1 "
            "to 15");
  EXPECT_EQ(error_of(replaced(kSmallSpace, "[3, 5], ", "[3, 5], groups: 8, ")),
            "space.yaml:10:69: stages[1].groups: 8 groups do not divide 4 channels; allowed: "
            "divisors of the stage's widths and of those before it");
  EXPECT_EQ(error_of(replaced(kSmallSpace, "[3, 5], ", "[3, 5], groups: 4, ")), "accepted");
  EXPECT_EQ(error_of(replaced(kSmallSpace, "[3, 5], ", "[3, 5], activation: [swish], ")),
            "space.yaml:10:73: stages[1].activation: 'swish' is unknown; allowed: [relu6, "
            "hard_swish]");
  EXPECT_EQ(error_of(replaced(kSmallSpace, "[3, 5], ", "[3, 5], squeeze_excitation: [1], ")),
            "space.yaml:10:81: stages[1].squeeze_excitation: '1' is unknown; allowed: [false, "
            "true]");
  EXPECT_EQ(error_of(replaced(kSmallSpace, "[3, 5], ", "[3, 5], squeeze_excitation: [true], ")),
            "accepted");
  EXPECT_EQ(error_of(replaced(kSmallSpace, "classes: 3", "classes: many")),
            "space.yaml:2:10: classes: must be a whole number, not 'many'");
  EXPECT_EQ(error_of(replaced(kSmallSpace, "classes: 3", "classes: 1")),
            "space.yaml:2:10: classes: 1 is out of range; allowed: 2 to 65536");
  EXPECT_EQ(error_of(replaced(kSmallSpace, "resolution: [16, 24]", "resolution: []")),
            "space.yaml:4:13: resolution: must be a list with at least one element");
  EXPECT_EQ(error_of(replaced(kSmallSpace, "stem: {width: 8, stride: 2}", "stem: {stride: 2}")),
            "space.yaml:7:7: stem.width: is missing");
}

TEST(RoundChannels, FollowsMobileNet) {
  EXPECT_EQ(round_channels(24 * 0.35, 8), 8);
  EXPECT_EQ(round_channels(96 * 0.35, 8), 32);
  EXPECT_EQ(round_channels(32 * 0.35, 8), 16);  // 8 would be more than 10 % below 11.2
  EXPECT_EQ(round_channels(3, 8), 8);
}

}  // namespace
}  // namespace patchnas
