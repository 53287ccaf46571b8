#pragma once

// Files that come with the program: beside it where it is installed, else in the source tree that
// it was built from.

#include <filesystem>
#include <string>

namespace patchnas {

enum class ShippedKind { kConfig, kNetwork, kDevice, kLatencyTable };

/// The file as given, else the shipped one of this name, with or without its ending.
/// @throws InputError with the names that there are, the likeliest first.
std::filesystem::path find_shipped_file(const std::string& name, ShippedKind kind);

/// The program in libexec/ that a program in bin/ hands its work over to; empty if there is none.
std::filesystem::path program_behind(const std::string& name);

}  // namespace patchnas
