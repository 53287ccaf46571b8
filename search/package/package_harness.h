#pragma once

// C around a package that makes it a program: it runs images from a file and writes what came out.

#include <string>

#include "search/package/package_runner.h"

namespace patchnas {

/// The main program. Reads input.bin, images (each with any further inputs behind it) back to back,
/// writes output.bin, and prints one "key number" a line: instructions (of all images together),
/// stack, and with PATCHNAS_LAYER_HOOK=harness_layer "layer INDEX number". The arena is the
/// variable `package_arena`.
/// @param images room for so many
std::string harness_main(const PackageFolder& package, int images);

/// runtime/boards/board.h for the host: there are no instruction counts, they read 0.
std::string harness_host_board();

}  // namespace patchnas
