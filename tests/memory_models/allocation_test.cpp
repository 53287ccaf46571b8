// A program of its own, since it replaces operator new.

#include <gtest/gtest.h>

#include "memory_models/memory_models.h"
#include "memory_models/schedule_sweep.h"
#include "tests/support/allocation_counter.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

TEST(JudgingCandidates, AllocatesNothingOnceWarm) {
  RandomStream stream(11, "allocations");
  for (int round = 0; round < 20; ++round) {
    const SearchSpace space = testing::random_space(stream);
    std::vector<Architecture> architectures;
    for (int i = 0; i < 20; ++i) {
      architectures.push_back(sample(space, stream));
    }
    Network network;
    ScheduleSweep sweep({{1, 1}, {2, 2}, {3, 3}, {2, 4}}, SplitPoints::kLayers,
                        InputMode::kStreamed);
    FlashSweep flash(InputMode::kStreamed, Core::kCortexM4);
    std::int64_t checksum = 0;
    const auto judge_all = [&] {
      for (const Architecture& architecture : architectures) {
        lower(space, architecture, network);
        flash.prepare(network);
        for (const ScheduleCosts& costs : sweep.run(network)) {
          checksum += costs.macs + flash.total_bytes(costs);
        }
      }
    };
    judge_all();
    const std::int64_t warm = testing::allocations();
    judge_all();
    EXPECT_EQ(testing::allocations() - warm, 0) << "round " << round;
    EXPECT_GT(checksum, 0);
  }
}

TEST(JudgingCandidates, TheCounterCounts) {
  const std::int64_t before = testing::allocations();
  const std::vector<int> memory(100);
  EXPECT_EQ(memory.size(), 100U);
  EXPECT_GT(testing::allocations(), before);
}

}  // namespace
}  // namespace patchnas
