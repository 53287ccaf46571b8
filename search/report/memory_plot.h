#pragma once

// A picture of a network's memory, as figure 1 of MCUNetV2 (Lin et al., NeurIPS 2021) shows it.

#include <cstdint>
#include <optional>
#include <string>

#include "search/report/estimate.h"

namespace patchnas {

/// SVG with two bars for every layer: live bytes executed layer by layer, and under the estimate's
/// schedule, both by `model`. A line marks the limit, if there is one.
std::string memory_plot(const NetworkEstimate& estimate, MemoryModel model,
                        std::optional<std::int64_t> limit_bytes, const std::string& title);

}  // namespace patchnas
