#pragma once

// Small quantised networks, each about one operator at a size, scale or bias that matters, with an
// input. What TensorFlow Lite Micro computes for them is on record (operator_bytes.txt), so that
// neither the integer reference nor the kernels share an assumption with what they are checked
// against.

#include <cstdint>
#include <string>
#include <vector>

#include "arch/quantized_network.h"

namespace patchnas::testing {

struct OperatorCase {
  std::string name;  ///< "mean_7x7_keeps_scale"
  QuantizedNetwork network;
  std::vector<std::int8_t> input;
};

/// Always the same ones.
std::vector<OperatorCase> operator_cases();

}  // namespace patchnas::testing
