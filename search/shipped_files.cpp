#include "search/shipped_files.h"

#include <system_error>
#include <vector>

#include "arch/error.h"
#include "patchnas_build_info.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

struct Kind {
  const char* what;
  const char* ending;
  const char* installed;  // within the data folder of an installation
  const char* source;     // within the source tree
};

Kind kind_of(ShippedKind kind) {
  return kind == ShippedKind::kConfig
             ? Kind{"configuration", ".yaml", "configs", "configs"}
             : Kind{"latency table", ".txt", "latency_tables", "latency_models/tables"};
}

std::vector<fs::path> shipped_folders(const Kind& kind) {
  std::vector<fs::path> folders;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    fs::path prefix = program.parent_path();
    for (const auto& part : fs::path(build_info::kInstallBinDir)) {
      (void)part;
      prefix = prefix.parent_path();
    }
    folders.push_back(prefix / build_info::kInstallDataDir / kind.installed);
  }
  folders.push_back(fs::path(build_info::kSourceDir) / kind.source);
  return folders;
}

}  // namespace

fs::path find_shipped_file(const std::string& name, ShippedKind shipped) {
  std::error_code error;
  if (fs::exists(name, error) && !fs::is_directory(name, error)) {
    return name;
  }
  const Kind kind = kind_of(shipped);
  std::string searched = name;
  for (const fs::path& folder : shipped_folders(kind)) {
    for (const char* ending : {"", kind.ending}) {
      const fs::path path = folder / (name + ending);
      if (fs::is_regular_file(path, error)) {
        return path;
      }
    }
    searched += ", " + (folder / name).string();
  }
  throw InputError(name + ": no such " + kind.what + "; searched: " + searched);
}

}  // namespace patchnas
