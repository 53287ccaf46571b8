#pragma once

// An int8 network of most operators of integers, as an .onnx file.

#include <cstdint>
#include <vector>

namespace patchnas::testing {

/// As ONNX Runtime's operators of integers, or with conversions around those of real numbers.
enum class IntegerForm { kOperators, kConversions };

/// The same network in either form. @param is_uint8 what tensors inside are, else int8
std::vector<std::uint8_t> integer_file(IntegerForm form, bool is_uint8, std::uint64_t seed);

}  // namespace patchnas::testing
