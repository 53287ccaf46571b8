#pragma once

// Inputs that a fuzzer starts from.

#include <cstdint>
#include <string>
#include <vector>

namespace patchnas::testing {

/// Small networks of all kinds as .tflite and .onnx files, int8 and float, and as JSON
/// descriptions.
std::vector<std::string> fuzz_corpus(std::uint64_t seed);

}  // namespace patchnas::testing
