#pragma once

// Cross-entropy with smoothed labels (Szegedy et al., 2016), on plain numbers.

#include <cstdint>
#include <span>
#include <vector>

namespace patchnas {

struct Loss {
  double mean = 0.0;
  int correct = 0;              ///< images whose largest logit is their label
  std::vector<float> gradient;  ///< of the mean, [N, classes]
};

/// The target is 1 - smoothing for the label plus smoothing / classes for every class.
/// @param logits [N, classes]
Loss smoothed_cross_entropy(std::span<const float> logits, std::span<const std::int32_t> labels,
                            double smoothing);

}  // namespace patchnas
