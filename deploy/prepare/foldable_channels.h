#pragma once

// Which channels of which tensors the network can do without.

#include <vector>

#include "deploy/prepare/value_intervals.h"

namespace patchnas {

/// By tensor and channel: whether it is kept. Of every tensor, and of every range that is copied,
/// at least one is.
using KeptChannels = std::vector<std::vector<bool>>;

/// A channel goes where every layer that mixes it reads it with weights of 0, or as a constant that
/// its biases can hold: at the border, where taps are missing, only one that stands for 0. Layers
/// that work channel by channel lose it on both sides.
KeptChannels kept_channels(const QuantizedNetwork& network,
                           const std::vector<ChannelIntervals>& intervals);

}  // namespace patchnas
