#pragma once

// Names and numbers in generated C.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "arch/network.h"

namespace patchnas {

/// Letters, digits and single underscores, the first no digit; empty if nothing is left.
std::string c_identifier(std::string_view text);

/// Whether a package called so, in lower case, would hide a header, a library or a target of a
/// build system, or bear the name of our own kernels.
bool is_taken_name(std::string_view name);

/// "VWW"
std::string upper_case(std::string_view identifier);

/// One identifier for each layer: its name, or "layer12" where that makes none that is short and
/// its own.
std::vector<std::string> layer_identifiers(const Network& network);

/// The text without anything that would end or upset a comment or a Markdown table.
std::string comment_text(std::string_view text);

/// "0x1p-7" would be exact, but people read decimals: nine digits give the same float back.
std::string c_float(float value);

/// "48x48x16"
std::string extents(const TensorShape& shape);

}  // namespace patchnas
