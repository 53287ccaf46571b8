#include "latency_models/operator_space.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

// Calls `visit` with every architecture of the space.
template <typename Visit>
class ArchitectureWalk {
 public:
  ArchitectureWalk(const SearchSpace& space, Visit visit) : space_(space), visit_(visit) {
    for (const int resolution : space.resolutions) {
      architecture_.resolution = resolution;
      add_stage(0);
    }
  }

 private:
  void add_stage(std::size_t stage) {
    if (stage == space_.stages.size()) {
      visit_(architecture_);
      return;
    }
    for (const int depth : space_.stages[stage].depths) {
      architecture_.stages.emplace_back();
      add_block(stage, depth);
      architecture_.stages.pop_back();
    }
  }

  void add_block(std::size_t stage, int remaining) {
    if (remaining == 0) {
      add_stage(stage + 1);
      return;
    }
    for (const BlockChoice& block : block_choices(space_.stages[stage])) {
      architecture_.stages[stage].push_back(block);
      add_block(stage, remaining - 1);
      architecture_.stages[stage].pop_back();
    }
  }

  const SearchSpace& space_;
  Visit visit_;
  Architecture architecture_;
};

std::vector<OperatorKey> operators_of_all_candidates(const SearchSpace& space) {
  std::set<OperatorKey> keys;
  const ArchitectureWalk walk(space, [&](const Architecture& architecture) {
    const Network network = lower(space, architecture);
    for (const PatchSchedule& schedule :
         enumerate_schedules(network, space.schedules.patch_grids, space.schedules.split_points)) {
      for (const OperatorUse& use :
           operator_uses(network, ExecutionPlan(network, schedule, InputMode::kResident))) {
        keys.insert(use.key);
      }
    }
  });
  return {keys.begin(), keys.end()};
}

// A random space with few enough architectures to walk them all.
SearchSpace small_space(RandomStream& stream) {
  SearchSpace space = testing::random_space(stream);
  space.schedules.patch_grids = {
      {1, 1}, {2, 2}, stream.chance(0.5) ? TileGrid{1, 3} : TileGrid{3, 2}};
  space.schedules.split_points = stream.chance(0.7) ? SplitPoints::kLayers : SplitPoints::kBlocks;
  for (StageSpace& stage : space.stages) {
    stage.residual = stream.chance(0.8);
  }
  const auto shrink = [&](auto& choices) {
    if (choices.size() > 1) {
      choices.erase(choices.begin() + static_cast<std::ptrdiff_t>(stream.below(choices.size())));
    }
  };
  while (std::stod(count_architectures(space)) > 400.0) {
    StageSpace& stage = space.stages[stream.below(space.stages.size())];
    switch (stream.below(7)) {
      case 0:
        shrink(stage.depths);
        break;
      case 1:
        shrink(stage.kernel_sizes);
        break;
      case 2:
        shrink(stage.expand_ratios);
        break;
      case 3:
        shrink(stage.widths);
        break;
      case 4:
        shrink(stage.activations);
        break;
      case 5:
        shrink(stage.squeeze_excitations);
        break;
      default:
        shrink(space.resolutions);
        break;
    }
  }
  return space;
}

TEST(EnumerateOperators, FindsWhatAllCandidatesUse) {
  RandomStream stream(5, "space/brute_force");
  for (int round = 0; round < 40; ++round) {
    const SearchSpace space = small_space(stream);
    const std::vector<OperatorKey> expected = operators_of_all_candidates(space);
    const auto found = enumerate_operators(space, expected.size());
    ASSERT_TRUE(found.has_value()) << to_yaml(space, 0);
    const auto [missing, other] =
        std::mismatch(expected.begin(), expected.end(), found->begin(), found->end());
    ASSERT_EQ(missing, expected.end()) << to_string(*missing) << '\n' << to_yaml(space, 0);
    ASSERT_EQ(other, found->end()) << to_string(*other) << '\n' << to_yaml(space, 0);
    EXPECT_FALSE(enumerate_operators(space, expected.size() - 1).has_value());
  }
}

TEST(EnumerateOperators, StopsWhereASpaceIsLarge) {
  SearchSpace space;
  space.resolutions = {96, 112, 128, 144, 160};
  space.stages.assign(7, {.stride = 1,
                          .depths = {2, 3, 4},
                          .kernel_sizes = {3, 5, 7},
                          .expand_ratios = {3, 4, 6},
                          .widths = {8, 16, 24}});
  space.schedules.patch_grids = square_grids({1, 2, 3, 4});
  EXPECT_FALSE(enumerate_operators(space, 5000).has_value());
}

TEST(SampledOperators, AreOperatorsOfTheSpaceAndWeighAsMuchAsTheirCandidates) {
  RandomStream spaces(5, "space/sampled");
  for (int round = 0; round < 10; ++round) {
    SearchSpace space = small_space(spaces);
    space.schedules.family = ScheduleFamily::kPatches;  // those by rows are not enumerated
    const auto all = enumerate_operators(space, 1'000'000);
    ASSERT_TRUE(all.has_value());
    RandomStream stream(6, "space/samples");
    const auto weights = sampled_operators(space, 1, stream);
    RandomStream same(6, "space/samples");
    const Network network = lower(space, sample(space, same));
    const auto schedules =
        enumerate_schedules(network, space.schedules.patch_grids, space.schedules.split_points);
    double macs_and_bytes = 0.0;
    for (const PatchSchedule& schedule : schedules) {
      for (const OperatorUse& use :
           operator_uses(network, ExecutionPlan(network, schedule, InputMode::kResident))) {
        macs_and_bytes += static_cast<double>(use.count * (use.key.macs() + use.key.bytes_moved()));
      }
    }
    double sum = 0.0;
    for (const auto& [key, weight] : weights) {
      EXPECT_TRUE(std::binary_search(all->begin(), all->end(), key)) << to_string(key);
      sum += weight;
    }
    macs_and_bytes /= static_cast<double>(schedules.size());
    EXPECT_NEAR(sum, macs_and_bytes, 1e-9 * macs_and_bytes);
  }
}

TEST(OperatorSpace, KnowsGroups) {
  RandomStream stream(5, "space/groups");
  SearchSpace space = small_space(stream);
  StageSpace& stage = space.stages.front();
  space.stem_width = 4;
  stage.widths = {4, 8};
  stage.groups = 2;
  const auto is_of_groups = [](const OperatorKey& key) {
    return key.family.kernel == KernelFunction::kConvolveGroups;
  };
  const auto listed = enumerate_operators(space, 1'000'000);
  ASSERT_TRUE(listed);
  EXPECT_TRUE(std::any_of(listed->begin(), listed->end(), is_of_groups));
  const auto sampled = sampled_operators(space, 5, stream);
  EXPECT_TRUE(std::any_of(sampled.begin(), sampled.end(),
                          [&](const auto& use) { return is_of_groups(use.first); }));
}

}  // namespace
}  // namespace patchnas
