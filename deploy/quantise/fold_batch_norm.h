#pragma once

// Inference batch norm is affine per output channel, so it disappears into the weights and bias
// before it.

#include "arch/float_network.h"

namespace patchnas {

/// The same function without batch norms; every layer with weights has a bias afterwards.
/// @throws InputError naming the layer if the sizes of its parameters do not fit the network, or if
/// one is not finite.
FloatNetwork fold_batch_norm(FloatNetwork network);

}  // namespace patchnas
