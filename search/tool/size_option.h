#pragma once

// Options that are numbers of bytes.
//
//   command->add_option("--sram", bytes)->transform(byte_size());

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

}  // namespace patchnas
