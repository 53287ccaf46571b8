#pragma once

// A float network in the form that int8 wants, before its values are measured: the layers of what
// quantise() makes are those of what it is given.
//
//   const FloatNetwork ready = prepare_for_int8(std::move(network), pixels);

#include <optional>

#include "arch/float_network.h"

namespace patchnas {

/// The same function:
/// - RELU and RELU6 behind a layer that nothing else reads become its activation function, which
///   costs no layer, and no part of int8 for what they cut off;
/// - where a concatenation, or the like, joins numbers whose scale the specification fixes (of the
///   image, softmax, logistic, tanh) with others, a layer in front brings them to another scale.
/// @param pixels of the image, where its scale follows from them
FloatNetwork prepare_for_int8(FloatNetwork network,
                              const std::optional<PixelNormalisation>& pixels);

}  // namespace patchnas
