#include "search/base/shipped_files.h"

#include <algorithm>
#include <system_error>
#include <vector>

#include "arch/base/error.h"
#include "arch/base/yaml_reader.h"
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
  switch (kind) {
    case ShippedKind::kConfig:
      return {"configuration", ".yaml", "configs", "configs"};
    case ShippedKind::kNetwork:
      return {"network", ".yaml", "configs/networks", "configs/networks"};
    case ShippedKind::kDevice:
      return {"device", ".yaml", "configs/targets", "configs/targets"};
    case ShippedKind::kLatencyTable:
      break;
  }
  return {"latency table", ".txt", "latency_tables", "latency_models/tables"};
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

// "a, b, c"; of the first folder that has any.
std::vector<std::string> shipped_names(const Kind& kind) {
  std::vector<std::string> names;
  for (const fs::path& folder : shipped_folders(kind)) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      if (entry.path().extension() == kind.ending) {
        names.push_back(entry.path().stem().string());
      }
    }
    if (!names.empty()) {
      break;
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

[[noreturn]] void fail(const std::string& name, const Kind& kind) {
  std::error_code error;
  if (fs::is_directory(name, error)) {
    throw InputError(name + ": is a folder, no " + kind.what);
  }
  std::string message = name + ": no such " + kind.what;
  if (name.find('/') == std::string::npos) {
    const std::vector<std::string> names = shipped_names(kind);
    const std::string near = nearest_word(name, names);
    message += near.empty() ? "" : "; did you mean '" + near + "'?";
    message += (near.empty() ? "; there are" : " There are");
    for (const std::string& shipped : names) {
      message += (shipped == names.front() ? " " : ", ") + shipped;
    }
    message += ", and any file";
  }
  throw InputError(message);
}

}  // namespace

fs::path find_shipped_file(const std::string& name, ShippedKind shipped) {
  std::error_code error;
  if (fs::exists(name, error) && !fs::is_directory(name, error)) {
    return name;
  }
  const Kind kind = kind_of(shipped);
  for (const fs::path& folder : shipped_folders(kind)) {
    for (const char* ending : {"", kind.ending}) {
      const fs::path path = folder / (name + ending);
      if (fs::is_regular_file(path, error)) {
        return path;
      }
    }
  }
  fail(name, kind);
}

}  // namespace patchnas
