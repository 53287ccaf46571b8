#include "deploy/reference/end_numbers.h"

#include <cmath>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>

#include "arch/base/error.h"

namespace patchnas {
namespace {

constexpr NetworkEnd kReal{.numbers = EndNumbers::kFloat32};

std::vector<std::uint8_t> bytes_of_floats(const std::vector<float>& values) {
  std::vector<std::uint8_t> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

TEST(EndNumbers, RealNumbersAreRoundedAwayFromZeroAndEndAtInt8sEnds) {
  const TensorQuantisation tensor{0.5F, -3};
  const float infinite = std::numeric_limits<float>::infinity();
  EXPECT_EQ(to_int8(bytes_of_floats({0.0F, 0.24F, 0.25F, -0.25F, -0.26F, 0.75F, 65.0F, 1e30F,
                                     -62.5F, -62.8F, -1e30F, infinite, -infinite, NAN}),
                    kReal, tensor),
            (std::vector<std::int8_t>{-3, -3, -2, -4, -4, -1, 127, 127, -128, -128, -128, 127, -128,
                                      -128}));
  EXPECT_THROW(to_int8(std::vector<std::uint8_t>(6), kReal, tensor), InputError);
}

TEST(EndNumbers, QuotientsAreOfSinglePrecision) {
  // 2.5 steps in single precision, less in double: 0.1F is above 0.1.
  const float value = 0.25F;
  EXPECT_LT(double{value} / double{0.1F}, 2.5);
  EXPECT_EQ(to_int8(bytes_of_floats({value}), kReal, {0.1F, 0}), (std::vector<std::int8_t>{3}));
}

TEST(EndNumbers, Int8BecomesRealNumbersAndBack) {
  const TensorQuantisation tensor{0.1F, 7};
  std::vector<std::int8_t> all;
  std::vector<float> reals;
  for (int value = -128; value <= 127; ++value) {
    all.push_back(static_cast<std::int8_t>(value));
    reals.push_back(static_cast<float>(double{0.1F} * (value - 7)));
  }
  EXPECT_EQ(from_int8(all, kReal, tensor), bytes_of_floats(reals));
  EXPECT_EQ(to_int8(bytes_of_floats(reals), kReal, tensor), all);
}

TEST(EndNumbers, Uint8OfTheSameScaleIsMoved) {
  const NetworkEnd end{.numbers = EndNumbers::kUint8, .uint8 = {0.25F, 0}};
  const TensorQuantisation tensor{0.25F, -128};
  std::vector<std::uint8_t> all;
  std::vector<std::int8_t> moved;
  for (int value = 0; value <= 255; ++value) {
    all.push_back(static_cast<std::uint8_t>(value));
    moved.push_back(static_cast<std::int8_t>(value - 128));
  }
  EXPECT_EQ(to_int8(all, end, tensor), moved);
  EXPECT_EQ(from_int8(moved, end, tensor), all);
}

TEST(EndNumbers, Uint8OfAnotherScaleIsRequantisedAndClamped) {
  const NetworkEnd end{.numbers = EndNumbers::kUint8, .uint8 = {0.5F, 10}};
  const TensorQuantisation quarter{0.125F, 0};  // four steps for one
  EXPECT_EQ(to_int8(std::vector<std::uint8_t>{10, 11, 0, 255}, end, quarter),
            (std::vector<std::int8_t>{0, 4, -40, 127}));
  EXPECT_EQ(from_int8(std::vector<std::int8_t>{0, 4, 1, 2, -2, -128}, end, quarter),
            (std::vector<std::uint8_t>{10, 11, 11, 11, 9, 0}))
      << "a quarter becomes a half, which becomes one: two roundings";
  EXPECT_EQ(from_int8(std::vector<std::int8_t>{1, 2, -2}, end, quarter,
                      Arithmetic::kTfliteMicroSingleRounding),
            (std::vector<std::uint8_t>{10, 11, 10}))
      << "-2 is half a step below: with one rounding ties go upwards";
}

}  // namespace
}  // namespace patchnas
