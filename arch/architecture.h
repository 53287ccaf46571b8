#pragma once

// The choices that define a subnet.

#include <compare>
#include <string>
#include <string_view>
#include <vector>

namespace patchnas {

/// Behind a block's expansion and behind its depthwise convolution.
enum class BlockActivation { kRelu6, kHardSwish };
std::string_view to_string(BlockActivation activation);

/// Whether the channels of a block's depthwise output are multiplied by numbers that the block
/// computes from their means (Hu et al., CVPR 2018).
enum class SqueezeExcitation : bool { kAbsent, kPresent };
std::string_view to_string(SqueezeExcitation squeeze_excitation);  ///< "false", "true"

/// Choices of one inverted residual block.
struct BlockChoice {
  int kernel_size = 3;
  int expand_ratio = 1;
  int width = 0;  ///< output channels
  BlockActivation activation = BlockActivation::kRelu6;
  SqueezeExcitation squeeze_excitation = SqueezeExcitation::kAbsent;
  auto operator<=>(const BlockChoice&) const = default;
};

/// Only the active blocks are listed, so equal architectures compare equal; a stage's depth is its
/// number of blocks.
struct Architecture {
  int resolution = 0;
  std::vector<std::vector<BlockChoice>> stages;
  auto operator<=>(const Architecture&) const = default;
};

/// One line of JSON: {"resolution":28,"stages":[[{"kernel":3,"expand":4,"width":16},...],...]}. A
/// block also has "activation":"hard_swish" and "squeeze_excitation":true, where it does.
std::string to_json(const Architecture& architecture);

/// Inverse of to_json.
/// @throws InputError with `source` and the position.
Architecture parse_architecture(std::string_view json, const std::string& source);

}  // namespace patchnas
