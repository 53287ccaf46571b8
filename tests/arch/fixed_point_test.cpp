#include "arch/fixed_point.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "arch/base/random.h"

namespace patchnas {
namespace {

constexpr std::int32_t kMin = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t kMax = std::numeric_limits<std::int32_t>::max();

// Ties away from zero, in exact arithmetic: a product of two int32 fits a long double's mantissa.
std::int64_t rounded(long double value) { return static_cast<std::int64_t>(std::round(value)); }

// gemmlowp's definition: a nudge by the product's sign, then a division that truncates.
std::int32_t nudged_division(std::int32_t a, std::int32_t b) {
  const std::int64_t product = std::int64_t{a} * b;
  const std::int64_t nudge = product >= 0 ? std::int64_t{1} << 30 : 1 - (std::int64_t{1} << 30);
  return static_cast<std::int32_t>((product + nudge) / (std::int64_t{1} << 31));
}

TEST(FixedPoint, DoublingHighMultiplyRoundsAsGemmlowpDefines) {
  RandomStream stream(1, "high multiply");
  for (int i = 0; i < 100000; ++i) {
    const auto a = static_cast<std::int32_t>(stream.next());
    const auto b = static_cast<std::int32_t>(stream.next());
    EXPECT_EQ(doubling_high_multiply(a, b), nudged_division(a, b)) << a << " * " << b;
    const std::int32_t small = a >> 16;  // with b = 2^30 every odd one is a tie
    EXPECT_EQ(doubling_high_multiply(small, 1 << 30), nudged_division(small, 1 << 30)) << small;
  }
  EXPECT_EQ(doubling_high_multiply(kMin, kMax), -kMax);
}

TEST(FixedPoint, RoundingShiftRoundsTiesAwayFromZero) {
  RandomStream stream(2, "shift");
  for (int i = 0; i < 100000; ++i) {
    const auto x = static_cast<std::int32_t>(stream.next()) >> stream.below(31);
    const int exponent = static_cast<int>(stream.below(34));
    EXPECT_EQ(rounding_shift_right(x, exponent),
              rounded(std::ldexp(static_cast<long double>(x), -exponent)))
        << x << " >> " << exponent;
  }
  EXPECT_EQ(rounding_shift_right(-3, 1), -2);
  EXPECT_EQ(rounding_shift_right(3, 1), 2);
}

TEST(FixedPoint, MultiplierIsTheNearestWith31Bits) {
  RandomStream stream(3, "multiplier");
  for (int i = 0; i < 10000; ++i) {
    const double factor = std::exp(stream.uniform() * 30 - 20);
    const Requantisation q = quantise_multiplier(factor);
    EXPECT_GE(q.multiplier, 1 << 30);
    EXPECT_NEAR(q.multiplier * std::ldexp(1.0, q.shift - 31) / factor, 1.0, 0x1p-31);
  }
  EXPECT_EQ(quantise_multiplier(0.0), Requantisation{});
  EXPECT_EQ(quantise_multiplier(0.5), (Requantisation{1 << 30, 0}));
  EXPECT_EQ(quantise_multiplier(1.0 - 0x1p-40), (Requantisation{1 << 30, 1}));  // rounds up to 1
  EXPECT_EQ(quantise_multiplier(0x1p-40), Requantisation{});
}

TEST(FixedPoint, RequantisationIsWithinOneOfTheRealProduct) {
  RandomStream stream(4, "requantise");
  for (int i = 0; i < 100000; ++i) {
    const double factor = std::exp(stream.uniform() * -12);
    const auto x = static_cast<std::int32_t>(stream.next()) >> 8;
    EXPECT_NEAR(requantise(x, quantise_multiplier(factor)), x * factor, 1.0);
  }
}

TEST(FixedPoint, RequantisationRoundsOnceUpwards) {
  RandomStream stream(5, "requantise once");
  for (int i = 0; i < 100000; ++i) {
    const auto x = static_cast<std::int32_t>(stream.next()) >> stream.below(31);
    const Requantisation by{
        .multiplier = (1 << 30) + static_cast<std::int32_t>(stream.below(1 << 30)),
        .shift = static_cast<int>(stream.below(62)) - 31};
    const long double scaled =
        std::ldexp(static_cast<long double>(x) * by.multiplier, by.shift - 31);
    EXPECT_EQ(requantise_rounding_once(x, by),
              std::clamp(std::floor(scaled + 0.5L), -0x1p30L, 0x1p30L))
        << x << " * " << by.multiplier << " * 2^(" << by.shift << " - 31)";
  }
  const Requantisation quarter{1 << 30, -1};
  EXPECT_EQ(requantise_rounding_once(2, quarter), 1);   // 0.5
  EXPECT_EQ(requantise_rounding_once(-2, quarter), 0);  // -0.5
  EXPECT_EQ(requantise(-2, quarter), -1);
  EXPECT_EQ(requantise_rounding_once(1, quarter), 0);  // 0.25, which rounds to 1 in two steps
  EXPECT_EQ(requantise(1, quarter), 1);
}

// Softmax multiplies by factors from 1 on: there the only rounding is that of the product.
TEST(FixedPoint, ShiftsToTheLeftAreTheSameWithOneRounding) {
  RandomStream stream(6, "left");
  for (int i = 0; i < 100000; ++i) {
    const Requantisation by{
        .multiplier = (1 << 30) + static_cast<std::int32_t>(stream.below(1 << 30)),
        .shift = static_cast<int>(stream.below(22))};
    const auto x = static_cast<std::int32_t>(stream.below(511)) - 255;
    EXPECT_EQ(requantise(x, by), requantise_rounding_once(x, by)) << x << " by " << by.shift;
  }
}

TEST(FixedPoint, WrapsLikeTwosComplementMachines) {
  EXPECT_EQ(wrapping_add(kMax, 1), kMin);
  EXPECT_EQ(wrapping_shift_left(kMax, 1), -2);
}

}  // namespace
}  // namespace patchnas
