#pragma once

// A float network straight from its definition, and random ones: what quantisation is measured
// against.

#include <vector>

#include "arch/base/random.h"
#include "arch/float_network.h"

namespace patchnas::testing {

/// Random weights, biases and batch norm statistics, scaled so that activations neither vanish nor
/// explode.
FloatNetwork random_float_network(const Network& network, RandomStream& stream);

/// All tensors [H, W, C], tensor 0 being the image.
std::vector<std::vector<float>> run_float(const FloatNetwork& network,
                                          const std::vector<float>& image);

/// Smallest and largest value of every tensor over several runs.
std::vector<ValueRange> value_ranges(const std::vector<std::vector<std::vector<float>>>& runs);

}  // namespace patchnas::testing
