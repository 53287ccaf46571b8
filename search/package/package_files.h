#pragma once

// C packages on disk.

#include <filesystem>
#include <map>
#include <string>

#include "deploy/package/c_package.h"

namespace patchnas {

/// @throws InputError unless the folder is absent, empty, or holds a package, which another may
/// replace.
void require_package_place(const std::filesystem::path& folder);

/// The same for a folder that gets more than a package: the package is in c/.
void require_export_place(const std::filesystem::path& folder);

/// Writes every file of the package, package.json last: a folder that has it, with more than the
/// list of files, is complete. The files of a package that was there before are removed.
/// @param beside more files of the same folder, name -> content
/// @throws InputError with path and reason.
void write_package(const CPackage& package, const std::filesystem::path& folder,
                   const std::map<std::string, std::string>& beside = {});

}  // namespace patchnas
