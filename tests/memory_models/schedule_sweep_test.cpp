#include "memory_models/schedule_sweep.h"

#include <gtest/gtest.h>

#include "arch/tile_geometry.h"
#include "memory_models/memory_models.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

ScheduleCosts costs_of(const Network& network, const PatchSchedule& schedule, InputMode input) {
  const ExecutionPlan plan(network, schedule, input);
  return {.grid = schedule.leading_grid(),
          .split_layer = schedule.split_layer(),
          .macs = scheduled_macs(network, schedule),
          .deployed_bytes = unplaced_arena_plan(plan).lower_bound_bytes,
          .mcunetv2_bytes =
              memory_report(network, schedule, MemoryModel::kMcunetV2, input).peak_sram_bytes};
}

// The definition of every number, one schedule at a time.
std::vector<ScheduleCosts> one_by_one(const Network& network, const std::vector<TileGrid>& grids,
                                      SplitPoints split_points, InputMode input) {
  std::vector<ScheduleCosts> costs;
  for (const PatchSchedule& schedule : enumerate_schedules(network, grids, split_points)) {
    costs.push_back(costs_of(network, schedule, input));
  }
  return costs;
}

void expect_equal(const Network& network, const std::vector<TileGrid>& grids,
                  SplitPoints split_points, InputMode input, ScheduleSweep& sweep) {
  const std::vector<ScheduleCosts> expected = one_by_one(network, grids, split_points, input);
  const std::span<const ScheduleCosts> found = sweep.run(network);
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::string where = std::to_string(expected[i].grid.rows) + "x" +
                              std::to_string(expected[i].grid.cols) + " patches, split at " +
                              std::to_string(expected[i].split_layer);
    ASSERT_EQ(found[i].grid, expected[i].grid);
    ASSERT_EQ(found[i].split_layer, expected[i].split_layer);
    EXPECT_EQ(found[i].macs, expected[i].macs) << where;
    EXPECT_EQ(found[i].deployed_bytes, expected[i].deployed_bytes) << where;
    EXPECT_EQ(found[i].mcunetv2_bytes, expected[i].mcunetv2_bytes) << where;
  }
}

class SweepEveryInput : public ::testing::TestWithParam<InputMode> {};

// One sweep object for all networks, so that nothing of an earlier one may remain.
TEST_P(SweepEveryInput, EqualsTheDefinitionsForRandomNetworks) {
  const std::vector<TileGrid> grids{{1, 1}, {2, 2}, {3, 3}, {4, 4}, {1, 3}, {5, 2}, {7, 7}, {9, 4}};
  ScheduleSweep by_layer(grids, SplitPoints::kLayers, GetParam());
  ScheduleSweep by_block(grids, SplitPoints::kBlocks, GetParam());
  RandomStream stream(7, "sweep");
  for (int round = 0; round < 300; ++round) {
    const Network lowered = testing::random_lowered_network(stream);
    expect_equal(lowered, grids, SplitPoints::kLayers, GetParam(), by_layer);
    expect_equal(lowered, grids, SplitPoints::kBlocks, GetParam(), by_block);
    for (const Network& network :
         {testing::random_general_network(stream), testing::random_graph(stream)}) {
      expect_equal(network, grids, SplitPoints::kLayers, GetParam(), by_layer);
    }
    if (HasFailure()) {
      FAIL() << "round " << round;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(InputModes, SweepEveryInput,
                         ::testing::Values(InputMode::kResident, InputMode::kStreamed),
                         [](const auto& test) { return std::string(to_string(test.param)); });

}  // namespace
}  // namespace patchnas
