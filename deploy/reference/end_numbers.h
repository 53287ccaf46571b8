#pragma once

// Between the numbers of a network's user and its int8 tensors, bit for bit as the QUANTIZE and
// DEQUANTIZE operators of TensorFlow Lite Micro convert.
//
//   const std::vector<std::int8_t> image =
//       to_int8(bytes, network.input_end, network.input_quantisation());
//   const std::vector<std::uint8_t> output =
//       from_int8(run_layer_by_layer(network, image), network.output_end,
//                 network.output_quantisation());

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "arch/quantized_network.h"
#include "deploy/reference/litert_arithmetic.h"

namespace patchnas {

/// "int8", "uint8", "float32"
std::string_view to_string(EndNumbers numbers);

/// Of one number.
std::size_t bytes_of(EndNumbers numbers);

/// Input numbers, little-endian, as the network's image `tensor`. Real numbers outside what int8
/// can say become its ends, and so does what is no number: the lower one.
/// @throws InputError if there is no whole count of numbers.
std::vector<std::int8_t> to_int8(std::span<const std::uint8_t> bytes, const NetworkEnd& end,
                                 const TensorQuantisation& tensor,
                                 Arithmetic arithmetic = Arithmetic::kTfliteMicro);

/// The network's output `tensor` as output numbers, little-endian.
std::vector<std::uint8_t> from_int8(std::span<const std::int8_t> values, const NetworkEnd& end,
                                    const TensorQuantisation& tensor,
                                    Arithmetic arithmetic = Arithmetic::kTfliteMicro);

}  // namespace patchnas
