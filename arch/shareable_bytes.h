#pragma once

// What the output of a layer, executed whole, can share with an input that nothing reads
// afterwards. Whether that is so depends on the order of the layers.

#include <cstdint>

#include "arch/network.h"
#include "arch/tile_geometry.h"

namespace patchnas {

/// Bytes; 0 if the layer's kernel leaves its inputs[input] as it is.
/// @param taps of the network
std::int64_t shareable_bytes(const Network& network, const NetworkTaps& taps, int layer, int input);

}  // namespace patchnas
