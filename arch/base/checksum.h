#pragma once

// CRC-64/XZ (ECMA-182, reflected): tells a damaged file from an intact one. Not a defence against
// forgery.

#include <cstdint>
#include <string>
#include <string_view>

namespace patchnas {

std::uint64_t crc64(std::string_view bytes);
/// 16 hexadecimal digits.
std::string to_hex(std::uint64_t value);

}  // namespace patchnas
