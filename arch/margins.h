#pragma once

// Copies of whole rows and columns: what a PAD or a SLICE of a file is, written as any copy is, and
// as a kPad, of which a part can be computed from a part of the input.
//
//   Network network = read(file);
//   recognise_pads(network);

#include "arch/network.h"

namespace patchnas {

/// What of an input of that shape a kPad copies, and where to.
StridedCopy copy_between_margins(const TensorShape& input, const Layer& pad);

/// Makes a kPad of each kCopy that is one: all that the margins leave of the input, and a constant
/// elsewhere. Copies whose elements may stay where they are remain such. The layers' inputs must
/// exist.
void recognise_pads(Network& network);

}  // namespace patchnas
