#pragma once

// How much of a linked program is one part of it, from the map that GNU ld writes (-Wl,-Map).

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace patchnas {

struct LinkedBytes {
  std::int64_t code = 0;       ///< .text
  std::int64_t constants = 0;  ///< .rodata
  std::int64_t data = 0;       ///< .data: in flash and in SRAM
  std::int64_t zeroed = 0;     ///< .bss
  [[nodiscard]] std::int64_t flash() const { return code + constants + data; }
  [[nodiscard]] std::int64_t sram() const { return data + zeroed; }
  bool operator==(const LinkedBytes&) const = default;
};

/// What these object files, and the library members that they (or such members) were the first to
/// need, contribute to the program. Padding between sections is not counted.
LinkedBytes linked_bytes(std::string_view map, const std::set<std::string>& objects);

/// Bytes of the one section of that name, 0 if it was not linked.
std::int64_t section_bytes(std::string_view map, std::string_view section);

}  // namespace patchnas
