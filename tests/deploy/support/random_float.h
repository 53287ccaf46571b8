#pragma once

// Random float networks, samples for them, and the float networks that int8 ones stand for.

#include <vector>

#include "arch/base/random.h"
#include "arch/float_network.h"
#include "arch/quantized_network.h"

namespace patchnas::testing {

/// Random weights, biases and batch norm statistics, scaled so that activations neither vanish nor
/// explode; random constants.
FloatNetwork random_float_network(const Network& network, RandomStream& stream);
/// Every other mean as a sum.
FloatNetwork with_sums(FloatNetwork network);

/// Inputs of so many executions, back to back, uniform in [low, high).
std::vector<float> random_samples(const Network& network, int count, double low, double high,
                                  RandomStream& stream);

/// The network whose values are those that the int8 one's stand for.
FloatNetwork dequantised(const QuantizedNetwork& network);

}  // namespace patchnas::testing
