#pragma once

// An int8 network as fused layers: the kernels of training compute its integers exactly, in floats.

#include <span>
#include <vector>

#include "arch/quantized_network.h"
#include "supernet/kernels/fused_layers.h"

namespace patchnas::kernels {

/// Whether no sum of products can reach 2^24, up to where floats hold every integer.
bool exact_in_floats(const QuantizedNetwork& network);

/// Activations in steps from their zero points. `network.network` must be supported().
std::vector<FusedLayer> make_fused_layers(const QuantizedNetwork& network);

/// The weights of a layer as integers in LibTorch's layout (layer_tensors.h).
std::vector<float> integer_weights(const QuantizedNetwork& network, int layer);

}  // namespace patchnas::kernels
