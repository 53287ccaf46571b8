#pragma once

// Random calls of the runtime's kernels and what the integer reference answers, as one block of
// words that a C program without any library can run: on the host and on emulated processors.

#include <cstdint>
#include <vector>

#include "arch/base/random.h"
#include "deploy/reference/litert_arithmetic.h"

namespace patchnas::testing {

/// `count` calls, laid out as run_kernel_cases.c reads them: every kernel of a layer, kernel
/// sizes 1 to 7, strides 1 and 2, groups and dilation, few and odd channel counts, single pixels,
/// windows at all borders, and multipliers, shifts and biases up to their extremes, accumulators at
/// and beside ties.
std::vector<std::int32_t> kernel_cases(int count, RandomStream& stream, Arithmetic arithmetic);

}  // namespace patchnas::testing
