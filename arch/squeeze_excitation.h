#pragma once

// Squeeze-and-excitation (Howard et al., ICCV 2019), as architectures and published descriptions of
// networks have it.

#include "arch/network.h"

namespace patchnas {

/// Of the network's last layer's output: the mean of each channel, two convolutions of that one
/// pixel, the first to a quarter of the channels, and the number from 0 to 1 that the channel is
/// multiplied by: the logistic function.
/// @param stage, block of the layers
void append_squeeze_excitation(Network& network, int stage, int block);

}  // namespace patchnas
