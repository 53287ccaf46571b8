#pragma once

// Every kind of layer straight from its definition in arch/network.h, in floats.

#include <vector>

#include "arch/float_network.h"

namespace patchnas::testing {

/// The network's outputs, one after the other. @param inputs [H, W, C] each, one after the other
std::vector<float> outputs_of(const FloatNetwork& network, const std::vector<float>& inputs);

}  // namespace patchnas::testing
