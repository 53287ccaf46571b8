#include "tests/runtime/kernel_cases.h"

#include "arch/operator_table.h"
#include "tests/runtime/kernel_case.h"

namespace patchnas::testing {
namespace {

// Those of layers, which run_kernel_cases.c numbers alike. It calls the others beside them.
constexpr int kCalls = static_cast<int>(KernelFunction::kPad) + 1;

bool computes_elements(KernelFunction call) {
  switch (call) {
    case KernelFunction::kCombine:
    case KernelFunction::kLookup:
    case KernelFunction::kResize:
    case KernelFunction::kCopyChannels:
    case KernelFunction::kCopy:
    case KernelFunction::kPad:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::vector<std::int32_t> kernel_cases(int count, RandomStream& stream, Arithmetic arithmetic) {
  std::vector<std::int32_t> words{count};
  for (int i = 0; i < count; ++i) {
    const auto call = static_cast<KernelFunction>(i % kCalls);
    const KernelCase one = computes_elements(call) ? element_case(call, arithmetic, stream)
                                                   : window_case(call, arithmetic, stream);
    one.append_to(words);
  }
  return words;
}

}  // namespace patchnas::testing
