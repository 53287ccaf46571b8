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

/// This program's file; empty where the system does not say.
fs::path this_program() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error);
}

/// What holds this program's bin/ or libexec/: where it is installed, or was built. May be empty.
fs::path prefix() {
  for (const fs::path folder : {build_info::kInstallBinDir, build_info::kInstallLibexecDir}) {
    fs::path left = this_program().parent_path();
    fs::path end = folder;
    while (!end.empty() && left.filename() == end.filename()) {
      left = left.parent_path();
      end = end.parent_path();
    }
    if (end.empty()) {
      return left;
    }
  }
  return {};
}

std::vector<fs::path> shipped_folders(const Kind& kind) {
  std::vector<fs::path> folders;
  if (const fs::path installed = prefix(); !installed.empty()) {
    folders.push_back(installed / build_info::kInstallDataDir / kind.installed);
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

fs::path program_behind(const std::string& name) {
  std::error_code error;
  const fs::path program = prefix() / build_info::kInstallLibexecDir / name;
  return fs::is_regular_file(program, error) && !fs::equivalent(program, this_program(), error)
             ? program
             : fs::path();
}

}  // namespace patchnas
