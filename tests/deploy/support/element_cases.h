#pragma once

#include <vector>

#include "arch/base/random.h"
#include "tests/deploy/support/recorded_cases.h"

namespace patchnas::testing {

/// The part of operator_cases() that is about single elements, pairs of them, resizing, sums and
/// transposed convolutions.
std::vector<RecordedCase> element_cases(const RandomStream& stream);

}  // namespace patchnas::testing
