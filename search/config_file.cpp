#include <system_error>

#include "arch/error.h"
#include "patchnas_build_info.h"
#include "search/config.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

/// configs/ beside an installed program, then the one of the source tree that it was built from.
std::vector<fs::path> shipped_config_folders() {
  std::vector<fs::path> folders;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    fs::path prefix = program.parent_path();
    for (const auto& part : fs::path(build_info::kInstallBinDir)) {
      (void)part;
      prefix = prefix.parent_path();
    }
    folders.push_back(prefix / build_info::kInstallConfigDir);
  }
  folders.emplace_back(build_info::kSourceConfigDir);
  return folders;
}

}  // namespace

fs::path find_config_file(const std::string& name) {
  std::error_code error;
  if (fs::exists(name, error)) {
    return name;
  }
  std::string searched = name;
  for (const fs::path& folder : shipped_config_folders()) {
    for (const char* extension : {"", ".yaml"}) {
      const fs::path path = folder / (name + extension);
      if (fs::is_regular_file(path, error)) {
        return path;
      }
    }
    searched += ", " + (folder / name).string();
  }
  throw InputError(name + ": no such configuration; searched: " + searched);
}

Config read_config(const std::string& name, const std::vector<std::string>& assignments) {
  const fs::path path = find_config_file(name);
  YamlReader reader = YamlReader::parse_file(path);
  for (const std::string& assignment : assignments) {
    reader.assign(assignment);
  }
  return parse_config(std::move(reader), path.stem().string());
}

}  // namespace patchnas
