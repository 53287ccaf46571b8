#pragma once

// Writes int8 .tflite files that TensorFlow Lite, TensorFlow Lite Micro and LiteRT run.

#include <cstdint>
#include <vector>

#include "arch/quantized_network.h"

namespace patchnas {

/// The file's bytes; equal networks give equal bytes. Inputs and outputs have the network's names,
/// order and numbers. Tensors are [1, H, W, C], those from a fully connected layer on [1, C], and
/// carry the names of their layers. Where a layer has no operator of its own, several compute its
/// bytes (docs/deployment.md).
/// @throws InputError naming the layer for copies to places between which others of the same copy
/// lie.
std::vector<std::uint8_t> export_tflite(const QuantizedNetwork& network);

}  // namespace patchnas
