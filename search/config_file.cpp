#include "search/config.h"
#include "search/shipped_files.h"

namespace patchnas {

Config read_config(const std::string& name, const std::vector<std::string>& assignments) {
  const std::filesystem::path path = find_shipped_file(name, ShippedKind::kConfig);
  YamlReader reader = YamlReader::parse_file(path);
  for (const std::string& assignment : assignments) {
    reader.assign(assignment);
  }
  return parse_config(std::move(reader), path.stem().string());
}

}  // namespace patchnas
