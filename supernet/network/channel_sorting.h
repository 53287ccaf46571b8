#pragma once

// Which channels of a network may be permuted together, and by what they are sorted.

#include <span>
#include <vector>

#include "arch/network.h"
#include "supernet/network/layer_tensors.h"

namespace patchnas {

/// For every tensor the number of its group of channels, or -1 where channels are fixed (image,
/// logits). Tensors of one group have the same channels: depthwise layers, poolings and functions
/// keep them, adds and multiplications tie them.
std::vector<int> channel_groups(const Network& network);

/// Sum of the absolute weights that read each channel of a group, over all its readers.
std::vector<double> channel_importance(const Network& network, std::span<const LayerTensors> layers,
                                       const std::vector<int>& groups, int group);

/// Sorts the channels of every group by falling importance; ties keep their order. The network
/// computes the same.
void sort_channels(const Network& network, std::span<const LayerTensors> layers);

}  // namespace patchnas
