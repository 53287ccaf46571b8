#pragma once

// Scale and zero point of every tensor. Those between which stored values are only moved share one:
// a concatenation and its inputs, a pooling and its input.

#include <optional>
#include <vector>

#include "arch/float_network.h"
#include "arch/quantized_network.h"

namespace patchnas {

/// Of each tensor that which is known before anything is measured: `image`, what the specification
/// fixes, and what is handed on of these.
std::vector<std::optional<TensorQuantisation>> fixed_scales(
    const FloatNetwork& network, const std::optional<TensorQuantisation>& image);

/// Whether the layer puts input `input`, whose scale is fixed, beside numbers that may need
/// another.
bool mixes_scales(const FloatNetwork& network, int layer, std::size_t input,
                  const std::vector<std::optional<TensorQuantisation>>& fixed);

/// Of what a layer is combined with (FloatLayer::constants).
TensorQuantisation constants_quantisation(const std::vector<float>& constants);

/// One per tensor. @param ranges one per tensor
/// @throws InputError naming the layer if its range is not finite, or if it mixes_scales().
std::vector<TensorQuantisation> activation_scales(const FloatNetwork& network,
                                                  const std::vector<ValueRange>& ranges,
                                                  const std::optional<TensorQuantisation>& image);

}  // namespace patchnas
