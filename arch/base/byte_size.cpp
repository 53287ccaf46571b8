#include "arch/base/byte_size.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <string>

namespace patchnas {
namespace {

std::optional<double> bytes_of_unit(std::string_view unit) {
  std::string lower(unit);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr double kKib = 1024.0;
  if (lower.empty() || lower == "b") {
    return 1.0;
  }
  if (lower == "kib") {
    return kKib;
  }
  if (lower == "mib") {
    return kKib * kKib;
  }
  return lower == "gib" ? std::optional(kKib * kKib * kKib) : std::nullopt;
}

}  // namespace

std::optional<std::int64_t> parse_byte_size(std::string_view text) {
  // Neither sign nor exponent, infinity nor hexadecimal digits.
  const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, value);
  if (error != std::errc() || end != text.data() + digits) {
    return std::nullopt;
  }
  text.remove_prefix(digits);
  if (text.starts_with(' ')) {
    text.remove_prefix(1);
  }
  const std::optional<double> unit = bytes_of_unit(text);
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (!unit || value * *unit > kExact || value * *unit != std::floor(value * *unit)) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(value * *unit);
}

}  // namespace patchnas
