#pragma once

// The search's questions answered by the supernet, on all ranks: rank 0 asks, candidate i is
// evaluated on rank i modulo their number, each by one process alone. So no accuracy depends on how
// many ranks there are.
//
//   SupernetEvaluator evaluator(context, images, supernet);   // rank 0
//   evaluator.evaluate(candidates);
//   dismiss_other_ranks(context);
//
//   answer_rank_0(context, images, supernet);                 // the others

#include <span>
#include <vector>

#include "search/engine/evaluator.h"
#include "search/stages/torch_supernet.h"

namespace patchnas {

class SupernetEvaluator : public Evaluator {
 public:
  /// Images and supernet must outlive it. The supernet is trained at the first question, where that
  /// has not been done.
  SupernetEvaluator(const TorchContext& context, RunImages& images, TrainedSupernet& supernet)
      : context_(context), images_(images), supernet_(supernet) {}
  std::vector<double> evaluate(std::span<const Candidate> candidates) override;

 private:
  TorchContext context_;
  RunImages& images_;
  TrainedSupernet& supernet_;
};

/// Evaluates until rank 0 has no more questions.
void answer_rank_0(const TorchContext& context, RunImages& images, TrainedSupernet& supernet);
/// Ends answer_rank_0() on the other ranks.
void dismiss_other_ranks(const TorchContext& context);

}  // namespace patchnas
