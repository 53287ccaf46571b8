#pragma once

// Tests of the kernels run at every level of instructions that the machine can execute.
//
//   class Kernels : public test::AtEveryLevel {};
//   TEST_P(Kernels, ...) { ... }
//   INSTANTIATE_TEST_SUITE_P(Levels, Kernels, test::every_level(), test::level_name);

#include <algorithm>
#include <iostream>
#include <string>

#include <gtest/gtest.h>

#include "supernet/kernels/simd_level.h"

namespace patchnas::test {

class AtEveryLevel : public ::testing::TestWithParam<simd::Level> {
 protected:
  void SetUp() override {
    if (!std::ranges::count(simd::machine_levels(), GetParam())) {
      GTEST_SKIP() << "this machine, or this build, has no " << simd::to_string(GetParam());
    }
    simd::set_level(GetParam());
    std::cout << "kernels at level " << simd::to_string(simd::level()) << '\n';
  }
  void TearDown() override { simd::set_level(level_before_); }

 private:
  simd::Level level_before_ = simd::level();
};

inline auto every_level() {
  return ::testing::Values(simd::Level::kBase, simd::Level::kV3, simd::Level::kV4);
}

inline std::string level_name(const ::testing::TestParamInfo<simd::Level>& test) {
  std::string name(simd::to_string(test.param));
  std::ranges::replace(name, '-', '_');  // names of tests are words
  return name;
}

}  // namespace patchnas::test
