#pragma once

// Between the numbers of a network's user and its int8 tensors, bit for bit as the QUANTIZE and
// DEQUANTIZE operators of TensorFlow Lite Micro convert.
//
//   const std::vector<std::int8_t> inputs = to_int8(bytes, input_formats(network));
//   const std::vector<std::uint8_t> outputs =
//       from_int8(run_layer_by_layer(network, inputs), output_formats(network));

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "arch/quantized_network.h"
#include "deploy/reference/litert_arithmetic.h"

namespace patchnas {

/// One end of a network as its user meets it.
struct EndFormat {
  NetworkEnd end;
  TensorQuantisation int8;
  std::int64_t elements = 0;
};
std::vector<EndFormat> input_formats(const QuantizedNetwork& network);
std::vector<EndFormat> output_formats(const QuantizedNetwork& network);

/// "int8", "uint8", "float32"
std::string_view to_string(EndNumbers numbers);

/// Of one number.
std::size_t bytes_of(EndNumbers numbers);

/// Of all of them together.
std::size_t bytes_of(std::span<const EndFormat> formats);
std::int64_t elements_of(std::span<const EndFormat> formats);

/// All inputs of one execution, one after the other, or all outputs, as below.
std::vector<std::int8_t> to_int8(std::span<const std::uint8_t> bytes,
                                 std::span<const EndFormat> formats,
                                 Arithmetic arithmetic = Arithmetic::kTfliteMicro);
std::vector<std::uint8_t> from_int8(std::span<const std::int8_t> values,
                                    std::span<const EndFormat> formats,
                                    Arithmetic arithmetic = Arithmetic::kTfliteMicro);

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
