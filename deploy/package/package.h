#pragma once

// Front door of deploy/package/: an int8 network under a schedule as a C99 package for a
// microcontroller.
//
//   const CPackage package = make_c_package(network, schedule, InputMode::kStreamed, "vww");
//   for (const auto& [path, text] : package.files) write(folder / path, text);

#include "deploy/package/c_package.h"        // IWYU pragma: export
#include "deploy/package/runtime_sources.h"  // IWYU pragma: export
