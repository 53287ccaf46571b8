#pragma once

// What one network computes at a time.

#include <cstdint>
#include <vector>

namespace patchnas {

struct Batch {
  std::vector<float> images;         ///< [N, H, W, C], normalised
  std::vector<std::int32_t> labels;  ///< [N]
};

}  // namespace patchnas
