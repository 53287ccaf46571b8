#pragma once

// What folding makes one table of.

#include "arch/base/random.h"
#include "arch/quantized_network.h"

namespace patchnas::testing {

/// A convolution, `count` functions of single values one behind the other, and another convolution.
QuantizedNetwork functions_in_a_row(RandomStream& stream, int count);

}  // namespace patchnas::testing
