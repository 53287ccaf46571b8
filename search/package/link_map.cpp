#include "search/package/link_map.h"

#include <sstream>
#include <vector>

namespace patchnas {
namespace {

struct Section {
  std::string name;
  std::int64_t bytes = 0;
  std::string file;
};

constexpr std::string_view kMembers = "Archive member included";
constexpr std::string_view kPlacement = "Linker script and memory map";

// Library members that something in `objects` needs: "member" on a line of its own, then
// "   file (symbol)".
std::set<std::string> with_library_members(std::string_view map, std::set<std::string> objects) {
  const std::size_t begin = map.find(kMembers);
  if (begin == std::string_view::npos) {
    return objects;
  }
  std::istringstream lines{std::string(map.substr(begin, map.find(kPlacement) - begin))};
  std::string line;
  std::getline(lines, line);
  for (std::string member; std::getline(lines, line);) {
    if (line.find(')') == std::string::npos) {
      if (!line.empty()) {
        break;  // the next heading
      }
      continue;
    }
    if (line.front() != ' ') {
      member = line.substr(0, line.find(')') + 1);
      line.erase(0, member.size());
    }
    const std::size_t file = line.find_first_not_of(' ');
    const std::size_t symbol = line.rfind(" (");
    if (file != std::string::npos && symbol != std::string::npos && symbol > file &&
        objects.contains(line.substr(file, symbol - file))) {
      objects.insert(member);
    }
  }
  return objects;
}

// The input sections that were placed: " .name 0xaddress 0xbytes file", where a long name has a
// line of its own.
std::vector<Section> placed_sections(std::string_view map) {
  const std::size_t begin = map.find(kPlacement);
  std::vector<Section> sections;
  if (begin == std::string_view::npos) {
    return sections;
  }
  std::istringstream lines{std::string(map.substr(begin))};
  std::string name;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    if (line.starts_with(" .") || line.starts_with(" COMMON")) {
      words >> name;
    } else if (!line.starts_with("                ") || name.empty()) {
      name.clear();
      continue;
    }
    std::string address;
    std::string bytes;
    if (!(words >> address)) {
      continue;  // the rest is on the next line
    }
    Section section{.name = name, .bytes = 0, .file = {}};
    if (words >> bytes && address.starts_with("0x") && bytes.starts_with("0x")) {
      section.bytes = std::stoll(bytes, nullptr, 16);
      std::getline(words >> std::ws, section.file);
      sections.push_back(section);
    }
    name.clear();
  }
  return sections;
}

}  // namespace

LinkedBytes linked_bytes(std::string_view map, const std::set<std::string>& objects) {
  const std::set<std::string> files = with_library_members(map, objects);
  LinkedBytes result;
  for (const Section& section : placed_sections(map)) {
    if (!files.contains(section.file)) {
      continue;
    }
    const auto is = [&](std::string_view kind) {
      return section.name == kind || section.name.starts_with(std::string(kind) + ".");
    };
    result.code += is(".text") ? section.bytes : 0;
    result.constants += is(".rodata") ? section.bytes : 0;
    result.data += is(".data") ? section.bytes : 0;
    result.zeroed += is(".bss") || section.name == "COMMON" ? section.bytes : 0;
  }
  return result;
}

std::int64_t section_bytes(std::string_view map, std::string_view section) {
  for (const Section& placed : placed_sections(map)) {
    if (placed.name == section) {
      return placed.bytes;
    }
  }
  return 0;
}

}  // namespace patchnas
