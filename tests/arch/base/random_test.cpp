#include "arch/base/random.h"

#include <numeric>
#include <set>

#include <gtest/gtest.h>

namespace patchnas {
namespace {

TEST(RandomStream, DependsOnSeedAndNameOnly) {
  RandomStream a(7, "x");
  RandomStream b(7, "x");
  RandomStream other_name(7, "y");
  RandomStream other_seed(8, "x");
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t value = a.next();
    EXPECT_EQ(value, b.next());
    EXPECT_NE(value, other_name.next());
    EXPECT_NE(value, other_seed.next());
  }
}

TEST(RandomStream, BelowIsInRangeAndCoversIt) {
  RandomStream stream(3, "below");
  std::vector<int> counts(7, 0);
  for (int i = 0; i < 7000; ++i) {
    ++counts.at(static_cast<std::size_t>(stream.below(7)));
  }
  for (const int count : counts) {
    EXPECT_GT(count, 850);  // five standard deviations below the mean of 1000
    EXPECT_LT(count, 1150);
  }
}

TEST(RandomStream, UniformIsInUnitInterval) {
  RandomStream stream(3, "uniform");
  double sum = 0;
  for (int i = 0; i < 10000; ++i) {
    const double value = stream.uniform();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
  }
  EXPECT_NEAR(sum / 10000, 0.5, 0.02);
}

TEST(RandomStream, ShuffleIsAPermutation) {
  RandomStream stream(3, "shuffle");
  std::vector<int> items(100);
  std::iota(items.begin(), items.end(), 0);
  const std::vector<int> before = items;
  stream.shuffle(std::span<int>(items));
  EXPECT_NE(items, before);
  EXPECT_EQ(std::set<int>(items.begin(), items.end()).size(), before.size());
}

}  // namespace
}  // namespace patchnas
