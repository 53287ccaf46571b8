#pragma once

// Front door of search/package/: C packages on disk: written, compiled, run on the host or an
// emulated Cortex-M, verified.
//
//   const PackageFolder package("runs/vww/export/c");
//   const Verification result =
//       verify_package(package, network, RunTarget::kCortexM4, Rounding::kDouble, images);
//   std::cout << table(result);

#include "search/package/calibration_samples.h"  // IWYU pragma: export
#include "search/package/export_network.h"       // IWYU pragma: export
#include "search/package/package_files.h"        // IWYU pragma: export
#include "search/package/package_runner.h"       // IWYU pragma: export
#include "search/package/quantise_model.h"       // IWYU pragma: export
#include "search/package/toolchain.h"            // IWYU pragma: export
#include "search/package/verify_package.h"       // IWYU pragma: export
