#pragma once

// Does an exported package do what was promised? Its outputs against the integer reference, its
// memory against the estimates.
//
//   const Verification result =
//       verify_package(package, network, RunTarget::kCortexM4, Rounding::kDouble, images);
//   std::cout << table(result);

#include <cstdint>
#include <span>

#include "arch/quantized_network.h"
#include "search/package/package_runner.h"
#include "search/report/verification.h"  // IWYU pragma: export

namespace patchnas {

/// @param images back to back, [N, H, W, C]
/// @throws InputError as PackageRunner, or if `network` is not the package's.
Verification verify_package(const PackageFolder& package, const QuantizedNetwork& network,
                            RunTarget target, Rounding rounding,
                            std::span<const std::int8_t> images);

}  // namespace patchnas
