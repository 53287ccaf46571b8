#pragma once

// The JSON network description that ProxylessNAS, Once-for-All and MCUNet share.
//
//   Network network = read_network_description(text, "net.json", std::nullopt);

#include <optional>
#include <string>
#include <string_view>

#include "arch/network.h"

namespace patchnas {

inline constexpr int kDefaultDescriptionResolution = 224;

/// A description has `first_conv`, `blocks` of inverted residuals (`mobile_inverted_conv` or,
/// newer, `conv`, with a `shortcut` that is an identity or null; a block whose convolution is a
/// ZeroLayer passes its input on), perhaps `final_expand_layer` and `feature_mix_layer`, and a
/// `classifier`. With a `final_expand_layer` the feature mix comes after the pooling, as in
/// MobileNetV3, else before it. Windows are padded by kernel_size / 2 on every side (PyTorch). The
/// image is square, of `resolution`, else the description's `resolution`, else 224. Keys that do
/// not change the network are ignored. A stage is a run of blocks at one output stride.
/// @throws InputError with `source`, line and key (the block's index in it) for everything that our
/// layers cannot express: activations other than ReLU, ReLU6 and hard-swish, groups, dilation,
/// shuffling, other modules; and for channels that do not fit. Squeeze-and-excitation comes behind
/// a block's depthwise convolution; its gate is the logistic function, which costs what the hard
/// sigmoid of those descriptions does.
Network read_network_description(std::string_view json, const std::string& source,
                                 std::optional<int> resolution);

}  // namespace patchnas
