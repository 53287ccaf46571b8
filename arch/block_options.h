#pragma once

// What a block may choose, one row a choice: whoever draws, counts, compares or prints choices
// walks these. Used by arch/search_space*.cpp alone.

#include <string>
#include <string_view>
#include <vector>

#include "arch/search_space.h"

namespace patchnas {

/// Calls visit(name in an architecture's JSON, member of BlockChoice, its options in StageSpace)
/// for every choice, in the order in which they are drawn.
template <typename Visit>
void for_each_block_option(const Visit& visit) {
  visit("kernel", &BlockChoice::kernel_size, &StageSpace::kernel_sizes);
  visit("expand", &BlockChoice::expand_ratio, &StageSpace::expand_ratios);
  visit("width", &BlockChoice::width, &StageSpace::widths);
  visit("activation", &BlockChoice::activation, &StageSpace::activations);
  visit("squeeze_excitation", &BlockChoice::squeeze_excitation, &StageSpace::squeeze_excitations);
}

inline std::string option_text(int value) { return std::to_string(value); }
inline std::string option_text(const TileGrid& grid) { return to_string(grid); }
inline std::string option_text(BlockActivation value) { return std::string(to_string(value)); }
inline std::string option_text(SqueezeExcitation value) { return std::string(to_string(value)); }

/// "[3, 5]"
template <typename Option>
std::string options_text(const std::vector<Option>& options) {
  std::string text = "[";
  for (const Option& option : options) {
    text += (text.size() == 1 ? "" : ", ") + option_text(option);
  }
  return text + "]";
}

}  // namespace patchnas
