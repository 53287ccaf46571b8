#pragma once

#include <cstdint>
#include <vector>

namespace patchnas::testing {

/// An int8 .tflite file with float numbers instead is read as the network that the int8 one stands
/// for: the same layers, with the values that its values stand for. Files that convert between
/// numbers, or state other scales for the same bytes, have no such twin.
void expect_float_twin(const std::vector<std::uint8_t>& file);

}  // namespace patchnas::testing
