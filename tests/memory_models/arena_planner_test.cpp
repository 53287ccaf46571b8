#include "memory_models/arena_planner.h"

#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>

#include "arch/base/random.h"
#include "tests/memory_models/plan_checker.h"

namespace patchnas {
namespace {

int below(RandomStream& stream, int bound) {
  return static_cast<int>(stream.below(static_cast<std::uint64_t>(bound)));
}

// Some of them written over the one before, at any distance, in the step in which that one is used
// last and which is not the one that wrote it.
std::vector<ArenaBuffer> random_buffers(RandomStream& stream, int count) {
  std::vector<ArenaBuffer> buffers;
  for (int i = 0; i < count; ++i) {
    ArenaBuffer buffer{.size_bytes = 1 + below(stream, 100), .first_step = below(stream, 10)};
    if (i > 0 && stream.chance(0.15)) {  // as a loop does
      buffer.overwrites = i - 1;
      buffer.distance_bytes = -kArenaAlignmentBytes * below(stream, 20);
      buffer.may_lie_apart = true;
      buffer.first_step = buffers.back().first_step;
    } else if (i > 0 && buffers.back().first_step < buffers.back().last_step &&
               stream.chance(0.4)) {
      buffer.overwrites = i - 1;
      buffer.distance_bytes = kArenaAlignmentBytes * (below(stream, 40) - 20);
      buffer.first_step = buffers.back().last_step;
      if (buffers.back().overwrites == kNoBuffer && stream.chance(0.5)) {  // as an addition does
        buffer.distance_bytes = 0;
        buffer.may_move = true;
        for (int j = 0; j + 1 < i; ++j) {
          const ArenaBuffer& other = buffers[static_cast<std::size_t>(j)];
          buffer.instead = other.last_step == buffer.first_step ? j : buffer.instead;
        }
      }
    }
    buffer.last_step = buffer.first_step + below(stream, 4);
    buffers.push_back(buffer);
  }
  return buffers;
}

class EveryPlanner : public ::testing::TestWithParam<const ArenaPlanner*> {};

TEST_P(EveryPlanner, IsSound) {
  RandomStream stream(1, "planner/checker");
  for (int round = 0; round < 500; ++round) {
    std::vector<ArenaBuffer> buffers = random_buffers(stream, 1 + below(stream, 20));
    const std::int64_t arena_bytes = GetParam()->place(buffers);
    EXPECT_EQ(testing::plan_error(buffers, arena_bytes), "");
    EXPECT_GE(arena_bytes, arena_lower_bound(buffers));
  }
}

TEST_P(EveryPlanner, PlacesNothingOneAndDisjointOnes) {
  std::vector<ArenaBuffer> none;
  EXPECT_EQ(GetParam()->place(none), 0);
  std::vector<ArenaBuffer> one{{.size_bytes = 5, .first_step = 0, .last_step = 3}};
  EXPECT_EQ(GetParam()->place(one), 8);  // rounded up to the alignment
  std::vector<ArenaBuffer> disjoint{{.size_bytes = 8, .first_step = 0, .last_step = 1},
                                    {.size_bytes = 16, .first_step = 2, .last_step = 2},
                                    {.size_bytes = 12, .first_step = 3, .last_step = 5}};
  EXPECT_EQ(GetParam()->place(disjoint), 16);
}

TEST_P(EveryPlanner, StacksWhatLivesTogether) {
  std::vector<ArenaBuffer> buffers;
  for (int i = 1; i <= 5; ++i) {
    buffers.push_back({.size_bytes = 4 * i, .first_step = i, .last_step = 6});
  }
  EXPECT_EQ(GetParam()->place(buffers), 60);
}

TEST_P(EveryPlanner, IsRepeatable) {
  RandomStream stream(1, "planner/repeat");
  std::vector<ArenaBuffer> buffers = random_buffers(stream, 15);
  std::vector<ArenaBuffer> again = buffers;
  EXPECT_EQ(GetParam()->place(buffers), GetParam()->place(again));
  EXPECT_EQ(buffers, again);
  EXPECT_EQ(GetParam()->place(again), GetParam()->place(buffers));  // offsets left over from before
}

INSTANTIATE_TEST_SUITE_P(Planners, EveryPlanner,
                         ::testing::ValuesIn(arena_planners().begin(), arena_planners().end()),
                         [](const auto& test) { return std::string(test.param->name()); });

// The largest first, of equal ones the last; gaps are filled from below.
TEST(GreedyBySize, PlacesAsTensorFlowLiteMicro) {
  std::vector<ArenaBuffer> buffers{{.size_bytes = 16, .first_step = 0, .last_step = 1},
                                   {.size_bytes = 32, .first_step = 1, .last_step = 2},
                                   {.size_bytes = 16, .first_step = 2, .last_step = 3},
                                   {.size_bytes = 32, .first_step = 3, .last_step = 4},
                                   {.size_bytes = 8, .first_step = 0, .last_step = 4}};
  EXPECT_EQ(greedy_by_size().place(buffers), 56);
  std::vector<std::int64_t> offsets;
  for (const ArenaBuffer& buffer : buffers) {
    offsets.push_back(buffer.offset_bytes);
  }
  EXPECT_EQ(offsets, (std::vector<std::int64_t>{32, 0, 32, 0, 48}));
}

// What shrinks in place gives its bytes back.
TEST(TwoEnds, UsesWhatAnOverwrittenBufferLeaves) {
  std::vector<ArenaBuffer> buffers{
      {.size_bytes = 96, .first_step = 0, .last_step = 1},
      {.size_bytes = 24, .first_step = 1, .last_step = 2, .overwrites = 0},
      {.size_bytes = 72, .first_step = 2, .last_step = 3}};
  EXPECT_EQ(arena_lower_bound(buffers), 96);
  EXPECT_EQ(two_ends().place(buffers), 96);
  EXPECT_EQ(testing::plan_error(buffers, 96), "");
}

TEST(TwoEnds, ReachesTheLowerBoundOfChains) {
  RandomStream stream(1, "planner/chains");
  for (int round = 0; round < 200; ++round) {
    std::vector<ArenaBuffer> buffers;
    for (int i = 0; i < 12; ++i) {
      buffers.push_back(
          {.size_bytes = 4 * (1 + below(stream, 50)), .first_step = i, .last_step = i + 1});
    }
    EXPECT_EQ(two_ends().place(buffers), arena_lower_bound(buffers));
  }
}

// Some order of the buffers, each placed as low as it goes, gives an optimal arena: the order of
// their offsets in one.
std::int64_t least_arena(const std::vector<ArenaBuffer>& buffers) {
  std::vector<std::size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::int64_t least = -1;
  do {
    std::vector<ArenaBuffer> placed;
    std::int64_t arena_bytes = 0;
    for (const std::size_t index : order) {
      ArenaBuffer buffer = buffers[index];
      buffer.offset_bytes = 0;
      for (bool moved = true; moved;) {
        moved = false;
        for (const ArenaBuffer& other : placed) {
          if (buffer.overlaps_in_time(other) &&
              buffer.offset_bytes < other.offset_bytes + aligned(other.size_bytes) &&
              other.offset_bytes < buffer.offset_bytes + aligned(buffer.size_bytes)) {
            buffer.offset_bytes = other.offset_bytes + aligned(other.size_bytes);
            moved = true;
          }
        }
      }
      arena_bytes = std::max(arena_bytes, buffer.offset_bytes + aligned(buffer.size_bytes));
      placed.push_back(buffer);
    }
    least = least < 0 ? arena_bytes : std::min(least, arena_bytes);
  } while (std::next_permutation(order.begin(), order.end()));
  return least;
}

TEST(PlaceBuffers, ComparesWithTheOptimumOfSmallArenas) {
  RandomStream stream(1, "planner/optimum");
  constexpr int kRounds = 150;
  int optimal = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<ArenaBuffer> buffers = random_buffers(stream, 6);
    for (ArenaBuffer& buffer : buffers) {
      buffer.overwrites = kNoBuffer;
    }
    const std::int64_t least = least_arena(buffers);
    const std::int64_t found = place_buffers(buffers);
    EXPECT_EQ(testing::plan_error(buffers, found), "");
    EXPECT_GE(found, least);
    optimal += found == least ? 1 : 0;
  }
  EXPECT_GE(optimal, kRounds * 99 / 100) << optimal << " of " << kRounds << " are optimal";
}

TEST(PlanChecker, FindsFaults) {
  const auto error = [](std::vector<ArenaBuffer> buffers) {
    return testing::plan_error(buffers, 16);
  };
  const ArenaBuffer first{.size_bytes = 8, .first_step = 0, .last_step = 1};
  ArenaBuffer second{.size_bytes = 8, .first_step = 1, .last_step = 2, .offset_bytes = 8};
  EXPECT_EQ(error({first, second}), "");
  second.offset_bytes = 4;
  EXPECT_NE(error({first, second}), "");  // overlaps
  second.offset_bytes = 12;
  EXPECT_NE(error({first, second}), "");  // outside
  second.offset_bytes = 10;
  EXPECT_NE(error({first, second}), "");  // misaligned
  second.offset_bytes = 0;
  second.overwrites = 0;
  EXPECT_EQ(error({first, second}), "");
  second.offset_bytes = 8;
  EXPECT_NE(error({first, second}), "");  // not over it
  second.offset_bytes = 0;
  second.first_step = 2;
  EXPECT_NE(error({first, second}), "");  // never together
  second = {.size_bytes = 8,
            .first_step = 0,
            .last_step = 2,
            .overwrites = 0,
            .distance_bytes = -4,
            .may_lie_apart = true,
            .offset_bytes = 0};
  ArenaBuffer later = first;
  later.offset_bytes = 4;
  EXPECT_EQ(error({later, second}), "");  // at the largest distance
  second.offset_bytes = 8;
  EXPECT_NE(error({later, second}), "");  // too late to overlap
  later.offset_bytes = 0;
  EXPECT_EQ(error({later, second}), "");  // apart
}

}  // namespace
}  // namespace patchnas
