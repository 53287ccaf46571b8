#include <algorithm>
#include <cctype>

#include "search/base/files.h"
#include "search/base/shipped_files.h"
#include "search/config/config.h"

namespace patchnas {
namespace {

/// What a file may be called, as the name of a folder; what that may not have becomes '_'.
std::string run_name(const std::string& stem) {
  std::string name;
  for (const char c : stem) {
    const bool is_plain =
        std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || (c == '.' && !name.empty());
    if (is_plain) {
      name += c;
    } else if (c == '_' || !name.ends_with('_')) {
      name += '_';
    }
  }
  return name.empty() ? "run" : name;
}

}  // namespace

Config read_config(const std::string& name, const std::vector<std::string>& assignments) {
  const std::filesystem::path path = find_shipped_file(name, ShippedKind::kConfig);
  YamlReader reader = YamlReader::parse_text(read_file(path), path.string());
  for (const std::string& assignment : assignments) {
    reader.assign(assignment);
  }
  // The number of a pipe would be another one next time.
  const bool is_file = std::filesystem::is_regular_file(path);
  return parse_config(std::move(reader), is_file ? run_name(path.stem().string()) : "unnamed");
}

}  // namespace patchnas
