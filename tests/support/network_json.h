#pragma once

// Networks as the JSON description that ProxylessNAS, Once-for-All and MCUNet share.

#include <string>

#include "arch/network.h"

namespace patchnas::testing {

enum class DescriptionSpelling { kProxylessNas, kOnceForAll };

/// The description that says what a lowered network is.
std::string network_description_json(const Network& network, DescriptionSpelling spelling);

/// A ConvLayer with ReLU6.
std::string conv_layer_json(int kernel, int stride, int in_channels, int out_channels);

}  // namespace patchnas::testing
