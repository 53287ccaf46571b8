#pragma once

// int8 networks as .onnx files in QDQ form.

#include <cstdint>
#include <vector>

#include "arch/base/random.h"
#include "arch/quantized_network.h"

namespace patchnas::testing {

/// Whether qdq_file() writes it in a form that only this network has: no copies but
/// concatenations and slices of channels, no convolution that ONNX cannot tell from a depthwise
/// one.
bool has_qdq_form(const QuantizedNetwork& network);

/// Tensors inside are int8 or uint8, as drawn; what its user holds is `input_ends` and
/// `output_ends`.
std::vector<std::uint8_t> qdq_file(const QuantizedNetwork& network, RandomStream& stream);

}  // namespace patchnas::testing
