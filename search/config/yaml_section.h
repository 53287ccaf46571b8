#pragma once

// Writing YAML that reads back equal.
//
//   YamlSection(text, 2, "search").line("population", 100).line("mutation_rate", 0.1);

#include <cstdint>
#include <string>

#include <spdlog/fmt/fmt.h>

namespace patchnas {

/// The shortest text that reads back as the same double.
inline std::string number_text(double value) { return fmt::format("{}", value); }

/// Any text as a double-quoted YAML scalar.
inline std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
    }
    result += c;
  }
  return result + "\"";
}

/// A number of bytes in the largest unit that divides it.
inline std::string bytes_text(std::int64_t bytes) {
  constexpr std::int64_t kKib = 1024;
  if (bytes % (kKib * kKib) == 0) {
    return std::to_string(bytes / (kKib * kKib)) + "MiB";
  }
  return bytes % kKib == 0 ? std::to_string(bytes / kKib) + "KiB" : std::to_string(bytes);
}

/// Lines "key: value" under a heading, two spaces deeper.
class YamlSection {
 public:
  YamlSection(std::string& text, int indent, const std::string& heading)
      : text_(text), indent_(indent) {
    text_ += std::string(static_cast<std::size_t>(indent_ - 2), ' ') + heading + ":\n";
  }
  YamlSection& line(const std::string& key, const std::string& value) {
    text_ += std::string(static_cast<std::size_t>(indent_), ' ') + key + ": " + value + "\n";
    return *this;
  }
  YamlSection& line(const std::string& key, int value) { return line(key, std::to_string(value)); }
  YamlSection& line(const std::string& key, double value) { return line(key, number_text(value)); }

 private:
  std::string& text_;
  int indent_;
};

}  // namespace patchnas
