#pragma once

// How a layer's channels depend on those that it reads.

#include "arch/network.h"

namespace patchnas {

enum class ChannelUse {
  kMixed,       ///< each from all, by weights: either side may lose any
  kSame,        ///< each from the same one of every input
  kMultiplied,  ///< a fixed number of neighbours from each one, by weights
  kRanges,      ///< Layer::channels
  kAll          ///< neither side may lose one
};

ChannelUse channel_use(const Network& network, const Layer& layer);

}  // namespace patchnas
