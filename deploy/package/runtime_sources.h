#pragma once

// The sources of runtime/ as text, built in, so that a program that was installed alone can write
// packages.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace patchnas {

struct SourceFile {
  std::string_view path;  ///< "runtime/add.c"
  std::string_view text;
};

/// The kernels: every C source and header of runtime/ itself.
std::span<const SourceFile> runtime_sources();

/// What makes a package a program of its own on an emulated board: everything in runtime/boards/.
std::span<const SourceFile> board_sources();

/// The firmware that measures kernels: everything in runtime/measuring/.
std::span<const SourceFile> measuring_sources();

/// The files of runtime_sources() that a C program needs to link: for every patchnas_NAME that it
/// calls runtime/NAME.c, the headers of all, and for every HEADER.h its HEADER.c if there is one;
/// sorted by path.
/// @throws std::logic_error if there is no such source.
std::vector<SourceFile> linked_runtime_sources(std::string_view program);

}  // namespace patchnas
