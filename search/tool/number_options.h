#pragma once

// Options that are numbers: of bytes, or more than none.
//
//   command->add_option("--sram", bytes)->transform(byte_size());
//   command->add_option("--budget", minutes)->check(positive_number());

#include <string>

#include <CLI/CLI.hpp>

#include "arch/base/byte_size.h"

namespace patchnas {

/// As in configurations, "64KiB", more than none.
inline CLI::Validator byte_size() {
  return CLI::Validator(
      [](std::string& text) {
        const std::optional<std::int64_t> bytes = parse_byte_size(text);
        if (!bytes || *bytes < 1) {
          return std::string(kByteSizeForm) + ", not '" + text + "'";
        }
        text = std::to_string(*bytes);
        return std::string();
      },
      "");
}

inline CLI::Validator positive_number() {
  return CLI::Validator(
      [](const std::string& text) {
        double number = 0.0;
        const bool is_one = CLI::detail::lexical_cast(text, number) && number > 0.0;
        return is_one ? std::string() : "must be a number above 0, not '" + text + "'";
      },
      "");
}

}  // namespace patchnas
