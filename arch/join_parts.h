#pragma once

// Concatenations along channels that their parts write in place: convolutions whose output is read
// by nothing but a copy into channels of a wider tensor write those channels themselves
// (Layer::writes_part()), and the copies go. What else is copied into the tensor is copied as soon
// as it is there.
//
//   Network joined = with_joined_parts(network);

#include "arch/quantized_network.h"

namespace patchnas {

Network with_joined_parts(const Network& network);

/// Where a part and the tensor have the same scale. All other bytes stay as they are, and so do the
/// names of the network's outputs.
QuantizedNetwork with_joined_parts(const QuantizedNetwork& network);

}  // namespace patchnas
