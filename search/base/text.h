#pragma once

// Numbers as people read them.

#include <cstdint>
#include <string>
#include <string_view>

namespace patchnas {

/// "1,404,928"
std::string with_separators(std::int64_t value);
/// "1 image", "1,000 images"
std::string counted(std::int64_t value, std::string_view thing);
/// "32.0 KiB"
std::string kib_text(std::int64_t bytes);
/// "91.23 %"
std::string percent_text(double fraction);
/// "4.41 M"
std::string millions_text(std::int64_t value);
/// "1 h 05 min", "3 min 20 s", "12 s"
std::string duration_text(double seconds);
/// The text up to its first line break: libraries put stack traces into their messages.
std::string_view first_line(std::string_view text);

}  // namespace patchnas
