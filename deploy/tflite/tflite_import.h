#pragma once

// Reads .tflite files, ours and other people's: int8 ones to run them, float ones to quantise them,
// both to estimate them.
//
//   QuantizedNetwork network = import_tflite_file("model.tflite");
//   FloatNetwork floats = import_tflite_float_file("float_model.tflite");
//   Network layers = import_tflite_structure_file("float_model.tflite").network;

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "arch/float_network.h"
#include "arch/quantized_network.h"

namespace patchnas {

/// A graph of the operators that docs/networks.md lists, in int8, batch size 1. PAD is folded into
/// the layer behind it where that can pad, what only views bytes in other dimensions is dropped;
/// QUANTIZE and DEQUANTIZE at the ends become `input_ends` and `output_ends`. Layers are named
/// after their output tensors.
/// @throws InputError naming `source` and everything that stands in the way, each with operator and
/// tensor, and for damaged files.
QuantizedNetwork import_tflite(std::span<const std::uint8_t> bytes, const std::string& source);

/// @throws InputError also if the file cannot be read.
QuantizedNetwork import_tflite_file(const std::filesystem::path& path);

/// A graph of the same operators in float32, weights and biases perhaps in float16 behind a
/// DEQUANTIZE.
/// @throws InputError as import_tflite().
FloatNetwork import_tflite_float(std::span<const std::uint8_t> bytes, const std::string& source);

/// @throws InputError also if the file cannot be read.
FloatNetwork import_tflite_float_file(const std::filesystem::path& path);

/// In what a .tflite file computes: with float32 the weights may be stored as float16.
enum class TfliteNumbers { kInt8, kFloat32 };

struct TfliteStructure {
  Network network;
  TfliteNumbers numbers = TfliteNumbers::kInt8;
};

/// The layers alone, for estimates: of the operators that import_tflite() reads, in int8 or
/// float32; scales and values do not matter.
/// @throws InputError as import_tflite().
TfliteStructure import_tflite_structure(std::span<const std::uint8_t> bytes,
                                        const std::string& source);

/// @throws InputError also if the file cannot be read.
TfliteStructure import_tflite_structure_file(const std::filesystem::path& path);

}  // namespace patchnas
