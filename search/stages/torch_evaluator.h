#pragma once

// The search's questions answered by the supernet, on all ranks: rank 0 asks, candidate i is
// evaluated on rank i modulo their number, each by one process alone. So no accuracy depends on how
// many ranks there are.
//
//   SupernetEvaluator evaluator(workspace);        // rank 0
//   evaluator.evaluate(candidates);
//   dismiss_other_ranks(workspace);
//
//   answer_rank_0(workspace);                      // the others

#include <span>
#include <vector>

#include "search/engine/evaluator.h"
#include "search/stages/torch_workspace.h"

namespace patchnas {

class SupernetEvaluator : public Evaluator {
 public:
  /// The workspace must outlive it.
  explicit SupernetEvaluator(TorchWorkspace& workspace) : workspace_(workspace) {}
  std::vector<double> evaluate(std::span<const Candidate> candidates) override;

 private:
  TorchWorkspace& workspace_;
};

/// Evaluates until rank 0 has no more questions.
void answer_rank_0(TorchWorkspace& workspace);
/// Ends answer_rank_0() on the other ranks.
void dismiss_other_ranks(TorchWorkspace& workspace);

}  // namespace patchnas
