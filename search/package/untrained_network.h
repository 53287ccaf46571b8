#pragma once

// Int8 networks with random weights, where only time and memory matter, which do not depend on
// values.

#include "arch/base/random.h"
#include "arch/network.h"
#include "arch/quantized_network.h"

namespace patchnas {

/// Quantised as a trained network is (deploy/quantise/quantise.h), with ranges that activations may
/// have.
QuantizedNetwork untrained_network(const Network& network, RandomStream& stream);

}  // namespace patchnas
