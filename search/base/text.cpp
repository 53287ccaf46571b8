#include "search/base/text.h"

#include <cmath>

#include <spdlog/fmt/fmt.h>

namespace patchnas {

std::string with_separators(std::int64_t value) {
  std::string text = std::to_string(value);
  const std::size_t first_digit = value < 0 ? 1 : 0;
  for (std::size_t i = text.size(); i > first_digit + 3;) {
    i -= 3;
    text.insert(i, 1, ',');
  }
  return text;
}

std::string counted(std::int64_t value, std::string_view thing) {
  return with_separators(value) + " " + std::string(thing) + (value == 1 ? "" : "s");
}

std::string kib_text(std::int64_t bytes) {
  return fmt::format("{:.1f} KiB", static_cast<double>(bytes) / 1024.0);
}

std::string percent_text(double fraction) { return fmt::format("{:.2f} %", 100.0 * fraction); }

std::string millions_text(std::int64_t value) {
  return fmt::format("{:.2f} M", static_cast<double>(value) / 1e6);
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole >= 3600) {
    return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
  }
  if (whole >= 60) {
    return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  }
  return fmt::format("{} s", whole);
}

std::string_view first_line(std::string_view text) {
  return text.substr(0, text.find_first_of("\r\n"));
}

}  // namespace patchnas
