// Requantisation of the runtime's portable form, as this program was compiled, against its
// definition in exact arithmetic. The other forms are compared through the kernels.

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "arch/base/random.h"
#include "runtime/arithmetic.h"

namespace patchnas {
namespace {

constexpr std::int32_t kMin = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t kMax = std::numeric_limits<std::int32_t>::max();

long double round_upwards(long double value) { return std::floor(value + 0.5L); }

// A product of two int32, and half a step more, fit a long double's mantissa.
long double definition(std::int32_t x, std::int32_t multiplier, int shift) {
  const long double product = static_cast<long double>(x) * multiplier;
#if defined(PATCHNAS_SINGLE_ROUNDING)
  return std::clamp(round_upwards(std::ldexp(product, shift - 31)), -0x1p30L, 0x1p30L);
#else
  // Ties of the first rounding go upwards, those of the second away from zero.
  const long double high = round_upwards(std::ldexp(product, std::max(shift, 0) - 31));
  return std::round(std::ldexp(high, std::min(shift, 0)));
#endif
}

void expect_defined(std::int32_t x, std::int32_t multiplier, int shift) {
  EXPECT_EQ(patchnas_requantise(x, multiplier, shift), definition(x, multiplier, shift))
      << x << " * " << multiplier << " * 2^(" << shift << " - 31)";
}

std::int32_t random_multiplier(RandomStream& stream) {
  return stream.chance(0.2) ? 1 << 30
                            : (1 << 30) + static_cast<std::int32_t>(stream.below(1 << 30));
}

// With two roundings a shift to the left may leave int32.
int largest_left_shift(std::int32_t x) {
#if defined(PATCHNAS_SINGLE_ROUNDING)
  static_cast<void>(x);
  return 30;
#else
  return 30 - std::ilogb(std::abs(static_cast<double>(x)) + 1.0);
#endif
}

TEST(Requantisation, IsWhatItIsDefinedAs) {
  RandomStream stream(41, "requantisation");
  for (int i = 0; i < 300000; ++i) {
    const auto x = static_cast<std::int32_t>(stream.next()) >> stream.below(31);
    const int most = largest_left_shift(x);
    const int shift = static_cast<int>(stream.below(static_cast<std::uint64_t>(32 + most))) - 31;
    expect_defined(x, random_multiplier(stream), shift);
  }
}

TEST(Requantisation, IsWhatItIsDefinedAsBesideTies) {
  RandomStream stream(42, "ties");
  for (int i = 0; i < 300000; ++i) {
    const int shift = -static_cast<int>(stream.below(32));
    const std::int32_t multiplier = random_multiplier(stream);
    const double half_way =
        (static_cast<double>(stream.below(400)) - 199.5) * std::ldexp(1.0, 31 - shift) / multiplier;
    const auto x = static_cast<std::int32_t>(std::clamp(std::round(half_way), -0x1p30, 0x1p30));
    for (const std::int32_t beside : {-1, 0, 1}) {
      expect_defined(x + beside, multiplier, shift);
    }
  }
}

TEST(Requantisation, IsWhatItIsDefinedAsAtTheExtremes) {
  for (const std::int32_t multiplier : {0, 1 << 30, (1 << 30) + 1, kMax - 1, kMax}) {
    for (const std::int32_t x :
         {kMin, kMin + 1, -(1 << 30), -1, 0, 1, (1 << 30) - 1, 1 << 30, kMax - 1, kMax}) {
      const int most = x == kMin ? 0 : largest_left_shift(x);
      for (int shift = -31; shift <= most; ++shift) {
        expect_defined(x, multiplier, shift);
      }
    }
  }
}

}  // namespace
}  // namespace patchnas
