#include <algorithm>

#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "arch/operator_table.h"
#include "arch/patch_schedule.h"
#include "arch/tile_geometry.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

TEST(PatchSchedule, OnePatchIsLayerByLayer) {
  EXPECT_EQ(PatchSchedule::leading({1, 1}, 5), PatchSchedule::layer_by_layer());
  EXPECT_EQ(PatchSchedule::leading({3, 3}, 0), PatchSchedule::layer_by_layer());
  EXPECT_EQ(PatchSchedule::leading({3, 2}, 5).leading_grid(), (TileGrid{3, 2}));
  EXPECT_EQ(PatchSchedule::leading({3, 2}, 5).split_layer(), 5);
}

TEST(PatchSchedule, JsonRoundTrips) {
  RandomStream stream(5, "schedule_test/json");
  for (int round = 0; round < 20; ++round) {
    const Network network = testing::random_network(stream);
    for (const PatchSchedule& schedule : testing::all_schedules(network, stream)) {
      EXPECT_EQ(parse_patch_schedule(to_json(schedule), "test"), schedule);
    }
  }
  EXPECT_THROW(parse_patch_schedule(
                   R"({"segments":[{"first_layer":2,"end_layer":2,"rows":1,"cols":1}]})", "x"),
               InputError);
}

TEST(PatchSchedule, EnumerationIsCompleteAndValid) {
  RandomStream stream(5, "schedule_test/enumeration");
  for (int round = 0; round < 50; ++round) {
    const Network network = testing::random_lowered_network(stream);
    const std::vector<PatchSchedule> schedules =
        enumerate_schedules(network, square_grids({1, 2, 3, 4}), SplitPoints::kLayers);
    std::size_t expected = 1;
    for (int count = 2; count <= 4; ++count) {
      for (int split = 1; split < network.layer_count(); ++split) {
        const TensorShape& out = network.shape(split);
        const bool fit =
            std::all_of(network.layers.begin(), network.layers.begin() + split, fits_segments);
        expected += fit && out.height >= count && out.width >= count ? 1 : 0;
      }
    }
    EXPECT_EQ(schedules.size(), expected);
    for (const PatchSchedule& schedule : schedules) {
      EXPECT_NO_THROW(validate(network, schedule));
    }
    for (const PatchSchedule& schedule :
         enumerate_schedules(network, {{2, 2}}, SplitPoints::kBlocks)) {
      if (schedule.split_layer() > 0) {
        const int blocks = split_block(network, schedule.split_layer());
        ASSERT_GE(blocks, 0);
        EXPECT_EQ(split_layer_after_block(network, blocks), schedule.split_layer());
      }
    }
  }
}

TEST(PatchSchedule, ValidationRefusesWhatCannotRun) {
  RandomStream stream(5, "schedule_test/validation");
  const Network network = testing::random_lowered_network(stream);
  EXPECT_THROW(validate(network, PatchSchedule::leading({2, 2}, network.layer_count() + 1)),
               InputError);
  EXPECT_THROW(validate(network, PatchSchedule::leading({1000, 2}, 1)), InputError);
  EXPECT_THROW(validate(network, {{Segment{0, 2, {2, 2}}, Segment{1, 3, {2, 2}}}}), InputError);
  EXPECT_THROW(split_layer_after_block(network, 1000), InputError);
}

}  // namespace
}  // namespace patchnas
