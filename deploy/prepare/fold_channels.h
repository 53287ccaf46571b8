#pragma once

// A network without the channels that it can do without.

#include "deploy/prepare/foldable_channels.h"

namespace patchnas {

/// What they add to the layers that read them is in the biases.
QuantizedNetwork without_channels(const QuantizedNetwork& network,
                                  const std::vector<ChannelIntervals>& intervals,
                                  const KeptChannels& kept);

}  // namespace patchnas
