#pragma once

// Inference batch norm is affine per output channel, so it disappears into the weights and bias
// before it.

#include "arch/float_network.h"

namespace patchnas {

/// @throws InputError naming the layer if the network's values do not fit its shapes.
void check_values(const FloatNetwork& network);

/// The same function without batch norms; every layer with weights has a bias afterwards.
/// @throws InputError as check_values(), and if a value is not finite.
FloatNetwork fold_batch_norm(FloatNetwork network);

}  // namespace patchnas
