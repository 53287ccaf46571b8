#pragma once

// C packages on disk.

#include <filesystem>

#include "deploy/c_package.h"

namespace patchnas {

/// Writes every file of the package, package.json last: a folder that has it is complete.
/// @throws InputError with path and reason.
void write_package(const CPackage& package, const std::filesystem::path& folder);

}  // namespace patchnas
