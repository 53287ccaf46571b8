#pragma once

// The same network with its layers in another order.
//
//   Network other = reordered(network, order);

#include <span>

#include "arch/quantized_network.h"

namespace patchnas {

/// @param order of all layers, inputs first: order[i] is the layer that comes at place i
Network reordered(const Network& network, std::span<const int> order);
QuantizedNetwork reordered(const QuantizedNetwork& network, std::span<const int> order);

}  // namespace patchnas
