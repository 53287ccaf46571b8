#pragma once

#include <cstdint>
#include <vector>

namespace patchnas::testing {

/// An exported .tflite file with float activations, weights and biases instead: zeros, appended for
/// each constant.
std::vector<std::uint8_t> with_float_numbers(std::vector<std::uint8_t> file);

}  // namespace patchnas::testing
