#pragma once

// Small quantised networks with an input, for which the bytes that TensorFlow Lite Micro computes
// are on record (reference/operator_bytes.txt, network_bytes.txt, file_bytes.txt), so that neither
// the integer reference nor the kernels share an assumption with what they are checked against.

#include <cstdint>
#include <string>
#include <vector>

#include "arch/quantized_network.h"

namespace patchnas::testing {

struct RecordedCase {
  std::string name;  ///< "mean_7x7_keeps_scale"
  QuantizedNetwork network;
  std::vector<std::int8_t> input;
};

/// Each about one operator at a size, scale or bias that matters. Always the same ones.
std::vector<RecordedCase> operator_cases();

/// Whole networks: inverted residuals, residuals, poolings, classifiers. Always the same ones.
std::vector<RecordedCase> network_cases();

/// A .tflite file with one input.
struct FileCase {
  std::string name;
  std::vector<std::uint8_t> file;
  std::vector<std::int8_t> input;
};

/// Operators that are not layers of ours, or several. Always the same ones.
std::vector<FileCase> file_cases();

}  // namespace patchnas::testing
