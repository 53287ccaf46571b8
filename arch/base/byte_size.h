#pragma once

// The one way to write a number of bytes, in configurations and on command lines.
//
//   parse_byte_size("64KiB")       // 65536
//   parse_byte_size("0.5 MiB")     // 524288

#include <cstdint>
#include <optional>
#include <string_view>

namespace patchnas {

/// "as ..." of messages that refuse one.
inline constexpr std::string_view kByteSizeForm =
    "must be a number of bytes, as 65536, 64KiB, 0.5MiB or 1GiB";

/// A decimal number and, perhaps behind a space, B, KiB, MiB or GiB, capitals or not; nothing if
/// the text is none or is no whole number of bytes. Units of 1000 are none: "64K" has been both.
std::optional<std::int64_t> parse_byte_size(std::string_view text);

}  // namespace patchnas
