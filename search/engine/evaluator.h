#pragma once

// What the search knows of accuracy: candidates in, accuracies out. Behind this interface may be a
// supernet, a cache around another evaluator, other machines, or a formula in a test.

#include <span>
#include <vector>

#include "search/engine/candidate.h"

namespace patchnas {

class Evaluator {
 public:
  virtual ~Evaluator() = default;
  /// Accuracy (0 to 1) of each candidate. It must depend on the architecture alone: not on the
  /// schedule, which does not change what a network computes, nor on what was evaluated before.
  virtual std::vector<double> evaluate(std::span<const Candidate> candidates) = 0;
};

}  // namespace patchnas
