#pragma once

// Weights, biases and scales of a layer as the kernels of runtime/ read them (patchnas_weights).

#include <cstdint>
#include <vector>

#include "arch/quantized_network.h"

namespace patchnas {

/// What follows from QuantizedLayer once for all inputs: the input's zero point is folded into the
/// biases, modulo 2^32, and channels with a negative multiplier have it, their weights and their
/// bias negated, which leaves the product of sum and multiplier as it is.
struct KernelWeights {
  std::vector<std::int8_t> weights;       ///< in the order of QuantizedLayer::weights
  std::vector<std::int32_t> biases;       ///< [O]
  std::vector<std::int32_t> multipliers;  ///< [O], 0 or in [2^30, 2^31)
  std::vector<std::int32_t> shifts;       ///< [O], in [-31, 30]
};

/// @param quantised its arithmetic derived (derive_arithmetic())
KernelWeights kernel_weights(const Layer& layer, const QuantizedLayer& quantised,
                             std::int32_t input_zero_point);

}  // namespace patchnas
