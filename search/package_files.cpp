#include "search/package_files.h"

#include "search/files.h"

namespace patchnas {

void write_package(const CPackage& package, const std::filesystem::path& folder) {
  const std::string description = "package.json";
  for (const auto& [path, text] : package.files) {
    if (path != description) {
      make_directory((folder / path).parent_path());
      write_file(folder / path, text);
    }
  }
  write_file(folder / description, package.files.at(description));
}

}  // namespace patchnas
