#pragma once

// A picture of the arena: what lies where, and when.

#include <string>

#include "search/report/estimate.h"

namespace patchnas {

/// SVG with two maps at one scale, the network layer by layer and under the estimate's schedule: a
/// box for every buffer of the `deployed` arena, from its first step to its last and from its first
/// byte to its last, scratch included. Boxes that overlap share their bytes.
std::string memory_map(const NetworkEstimate& estimate, const std::string& title);

}  // namespace patchnas
