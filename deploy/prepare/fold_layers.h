#pragma once

// A network without the layers that it can do without.

#include <string>
#include <vector>

#include "deploy/prepare/value_intervals.h"

namespace patchnas {

struct ShorterNetwork {
  QuantizedNetwork network;
  std::vector<std::string> removed;  ///< names of layers
};

/// Leaves out what gives its input as its output, in the same shape and scale, merges an activation
/// function of its own into the convolution, sum or pooling before it, and makes one table of
/// functions of single values that follow each other.
ShorterNetwork without_layers(const QuantizedNetwork& network,
                              const std::vector<ChannelIntervals>& intervals);

}  // namespace patchnas
