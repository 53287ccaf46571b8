#pragma once

// Finds the blocks of a network that somebody else made.
//
//   Network network = import_tflite_structure_file("mcunet.tflite").network;
//   recognise_blocks(network);
//   const int split = split_layer_after_block(network, 4);

#include "arch/network.h"

namespace patchnas {

/// Fills in role, stage and block of layers that form a stem (a convolution) followed by inverted
/// residuals: an optional 1x1 expansion, a depthwise convolution, a linear 1x1 projection and, if
/// there is one, the add of the block's input; a function of single values may follow either of the
/// first two, squeeze-and-excitation both. A stage is a run of blocks at one output stride.
/// Layers after the last such block keep their role, and so do all layers of a network that does
/// not begin with a stem and a block. Nothing else changes. `network` must be valid.
void recognise_blocks(Network& network);

}  // namespace patchnas
