#include "search/package/package_files.h"

#include "search/base/listed_folder.h"

namespace patchnas {
namespace {

ListedFolder package_folder(const std::filesystem::path& folder) {
  return {.path = folder, .list = "package.json", .mark = "arena_bytes"};
}

}  // namespace

void require_package_place(const std::filesystem::path& folder) {
  package_folder(folder).require_ours();
}

void require_export_place(const std::filesystem::path& folder) {
  ListedFolder exported = package_folder(folder);
  exported.list = "c/package.json";
  exported.require_ours();
}

void write_package(const CPackage& package, const std::filesystem::path& folder,
                   const std::map<std::string, std::string>& beside) {
  std::map<std::string, std::string> files = package.files;
  files.insert(beside.begin(), beside.end());
  package_folder(folder).replace(files);
}

}  // namespace patchnas
