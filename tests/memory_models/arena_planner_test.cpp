#include "memory_models/arena_planner.h"

#include <gtest/gtest.h>

#include "arch/random.h"
#include "memory_models/plan_checker.h"

namespace patchnas {
namespace {

std::vector<ArenaBuffer> random_buffers(RandomStream& stream, int count) {
  std::vector<ArenaBuffer> buffers;
  for (int i = 0; i < count; ++i) {
    const int first = static_cast<int>(stream.below(10));
    buffers.push_back({.size_bytes = 1 + static_cast<std::int64_t>(stream.below(100)),
                       .first_layer = first,
                       .last_layer = first + static_cast<int>(stream.below(4))});
  }
  return buffers;
}

TEST(ArenaPlanner, BuffersNeverShareBytesWhileBothAreLive) {
  RandomStream stream(1, "planner/checker");
  for (int round = 0; round < 500; ++round) {
    std::vector<ArenaBuffer> buffers =
        random_buffers(stream, 1 + static_cast<int>(stream.below(20)));
    const std::int64_t arena_bytes = place_buffers(buffers);
    EXPECT_EQ(testing::plan_error(buffers, arena_bytes), "");
    EXPECT_GE(arena_bytes, arena_lower_bound(buffers));
  }
}

TEST(ArenaPlanner, ReachesTheLowerBoundOfChains) {
  RandomStream stream(1, "planner/chains");
  for (int round = 0; round < 200; ++round) {
    std::vector<ArenaBuffer> buffers;
    for (int i = 0; i < 12; ++i) {
      buffers.push_back({.size_bytes = 4 * (1 + static_cast<std::int64_t>(stream.below(50))),
                         .first_layer = i,
                         .last_layer = i + 1});
    }
    EXPECT_EQ(place_buffers(buffers), arena_lower_bound(buffers));
  }
}

TEST(ArenaPlanner, EmptyAndSingle) {
  std::vector<ArenaBuffer> none;
  EXPECT_EQ(place_buffers(none), 0);
  std::vector<ArenaBuffer> one{{.size_bytes = 5, .first_layer = 0, .last_layer = 3}};
  EXPECT_EQ(place_buffers(one), 8);  // rounded up to the alignment
}

TEST(PlanChecker, FindsFaults) {
  std::vector<ArenaBuffer> overlapping{{8, 0, 1, kNoBuffer, 0}, {8, 1, 2, kNoBuffer, 4}};
  EXPECT_NE(testing::plan_error(overlapping, 16), "");
  std::vector<ArenaBuffer> outside{{8, 0, 1, kNoBuffer, 12}};
  EXPECT_NE(testing::plan_error(outside, 16), "");
  std::vector<ArenaBuffer> misaligned{{8, 0, 1, kNoBuffer, 2}};
  EXPECT_NE(testing::plan_error(misaligned, 16), "");
}

}  // namespace
}  // namespace patchnas
