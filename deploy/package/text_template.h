#pragma once

// Texts with gaps, for files that are written for people to read.
//
//   fill("#define @NAME@_BYTES @bytes@\n", {{"NAME", "VWW"}, {"bytes", "4096"}})

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace patchnas {

using Filling = std::pair<std::string_view, std::string>;

/// `text` with every @key@ replaced, and @@ by @.
/// @throws std::logic_error if a gap has no filling: the text and its code have come apart.
std::string fill(std::string_view text, std::initializer_list<Filling> fillings);

}  // namespace patchnas
