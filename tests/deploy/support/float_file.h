#pragma once

#include <cstdint>
#include <vector>

namespace patchnas::testing {

/// An exported .tflite file with float activations, weights, biases and constants instead: the
/// values that the int8 ones stand for, and the lowest float where a PADV2 pads with the lowest
/// int8.
std::vector<std::uint8_t> with_float_numbers(std::vector<std::uint8_t> file);

}  // namespace patchnas::testing
