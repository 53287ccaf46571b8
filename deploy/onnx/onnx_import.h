#pragma once

// Reads .onnx files of operator sets 11 and later, as PyTorch and others export them: float ones,
// and int8 ones in QDQ form (QuantizeLinear and DequantizeLinear around the operators).
//
//   FloatNetwork network = import_onnx_float(bytes, "model.onnx");
//   QuantizedNetwork quantised = import_onnx(bytes, "model_int8.onnx");
//   Network layers = import_onnx_structure(bytes, "either.onnx").network;
//
// ONNX has [N, C, H, W]; inputs and outputs of the networks are [H, W, C], weights in TensorFlow
// Lite's order. Layers are named after their output tensors.

#include <cstdint>
#include <span>
#include <string>

#include "arch/float_network.h"
#include "arch/quantized_network.h"

namespace patchnas {

enum class OnnxNumbers { kFloat32, kInt8 };

/// The operators that docs/networks.md lists, batch size 1. Batch norm behind a layer with weights
/// is its FloatLayer::batch_norm, a Relu or Clip its activation.
/// @throws InputError naming `source` and everything that stands in the way, each with node and
/// tensor; for damaged files, and for those in QDQ form.
FloatNetwork import_onnx_float(std::span<const std::uint8_t> bytes, const std::string& source);

/// Weights, biases, scales and zero points as in the file; of uint8 activations, and weights with
/// zero point 128, the same numbers less 128. Float numbers at the ends become `input_ends` and
/// `output_ends`.
/// @throws InputError as import_onnx_float(), and for float files.
QuantizedNetwork import_onnx(std::span<const std::uint8_t> bytes, const std::string& source);

struct OnnxStructure {
  Network network;
  OnnxNumbers numbers = OnnxNumbers::kFloat32;
};

/// The layers alone, of either kind, for estimates.
/// @throws InputError as the two.
OnnxStructure import_onnx_structure(std::span<const std::uint8_t> bytes, const std::string& source);

/// Whether the bytes begin like an ONNX model: the format has no mark of its own.
bool looks_like_onnx(std::span<const std::uint8_t> bytes);

}  // namespace patchnas
