#pragma once

// Reads int8 .tflite files, ours and other people's.
//
//   QuantizedNetwork network = import_tflite_file("model.tflite");

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "deploy/quantized_network.h"

namespace patchnas {

/// A chain of CONV_2D, DEPTHWISE_CONV_2D (depth multiplier 1), ADD, AVERAGE_POOL_2D, MAX_POOL_2D,
/// FULLY_CONNECTED and SOFTMAX in int8, batch size 1. PAD before a convolution is folded into it,
/// MEAN over rows and columns becomes an average pooling, RESHAPE that flattens and TRANSPOSE
/// around such means are dropped. Layers are named after their output tensors.
/// @throws InputError naming `source`, operator and tensor for anything else, and for damaged
/// files.
QuantizedNetwork import_tflite(std::span<const std::uint8_t> bytes, const std::string& source);

/// @throws InputError also if the file cannot be read.
QuantizedNetwork import_tflite_file(const std::filesystem::path& path);

}  // namespace patchnas
