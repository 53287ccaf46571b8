#pragma once

// Writes int8 .tflite files that TensorFlow Lite, TensorFlow Lite Micro and LiteRT run.

#include <cstdint>
#include <vector>

#include "arch/quantized_network.h"

namespace patchnas {

/// The file's bytes; equal networks give equal bytes. Convolutions padded otherwise than SAME or
/// VALID get a PAD operator in front. Tensors are [1, H, W, C], those from a fully connected layer
/// on [1, C]; they carry the names of their layers.
/// @throws InputError naming the layer for what the format cannot express: poolings padded
/// otherwise than SAME or VALID, and windows over the output of a fully connected layer.
std::vector<std::uint8_t> export_tflite(const QuantizedNetwork& network);

}  // namespace patchnas
