#include "tests/runtime/kernel_cases.h"

#include <gtest/gtest.h>

#include "tests/runtime/run_kernel_cases.h"

namespace patchnas {
namespace {

// How the runtime that is linked was compiled.
#if defined(PATCHNAS_SINGLE_ROUNDING)
constexpr Arithmetic kArithmetic = Arithmetic::kTfliteMicroSingleRounding;
#else
constexpr Arithmetic kArithmetic = Arithmetic::kTfliteMicro;
#endif

TEST(KernelCases, GiveTheIntegerReferencesAnswer) {
  RandomStream stream(8, "runtime/kernels");
  const kernel_case_result result =
      run_kernel_cases(testing::kernel_cases(9000, stream, kArithmetic).data());
  EXPECT_EQ(result.failed, 0) << "first: case " << result.first << " of kernel "
                              << result.first_kind;
}

TEST(KernelCases, MovesKeepWhatTheyMoveAndTouchNothingElse) { EXPECT_EQ(run_move_cases(), 0); }

}  // namespace
}  // namespace patchnas
