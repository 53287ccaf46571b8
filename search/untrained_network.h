#pragma once

// Int8 networks with random weights, where only time and memory matter, which do not depend on
// values.

#include "arch/network.h"
#include "arch/quantized_network.h"
#include "arch/random.h"

namespace patchnas {

/// Quantised as a trained network is (deploy/quantize.h), with ranges that activations may have.
QuantizedNetwork untrained_network(const Network& network, RandomStream& stream);

}  // namespace patchnas
