#include "search/stages/torch_evaluator.h"

#include <sstream>
#include <string>

#include <ATen/Functions.h>

#include "search/base/stop_signal.h"
#include "search/stages/torch_evaluation.h"

namespace patchnas {
namespace {

/// This rank's share, then everybody's. A signal to any rank counts for all.
std::vector<double> share_out(const TorchContext& context, RunImages& images,
                              TrainedSupernet& supernet, std::span<const Candidate> candidates) {
  ProcessGroup& group = context.group;
  supernet.train_all();  // on all ranks together, also on one without a candidate
  const auto count = static_cast<std::int64_t>(candidates.size());
  const at::Tensor answers = at::zeros({count + 1}, at::kDouble);  // and the number of signals
  auto values = answers.accessor<double, 1>();
  for (std::int64_t i = group.rank(); i < count; i += group.size()) {
    values[i] = validation_accuracy(
        context, images,
        supernet.extract_recalibrated(candidates[static_cast<std::size_t>(i)].architecture));
  }
  values[count] = stop_requested() ? 1.0 : 0.0;
  group.sum(answers);
  if (values[count] > 0.0) {
    request_stop();
  }
  const double* const first = answers.data_ptr<double>();
  return {first, first + count};
}

}  // namespace

std::vector<double> SupernetEvaluator::evaluate(std::span<const Candidate> candidates) {
  std::string lines;
  for (const Candidate& candidate : candidates) {
    lines += to_json(candidate) + "\n";
  }
  context_.group.broadcast(lines);
  return share_out(context_, images_, supernet_, candidates);
}

void answer_rank_0(const TorchContext& context, RunImages& images, TrainedSupernet& supernet) {
  while (true) {
    std::istringstream lines(context.group.broadcast(""));
    std::vector<Candidate> candidates;
    for (std::string line; std::getline(lines, line);) {
      candidates.push_back(parse_candidate(line, "rank 0"));
    }
    if (candidates.empty()) {
      return;
    }
    share_out(context, images, supernet, candidates);
  }
}

void dismiss_other_ranks(const TorchContext& context) { context.group.broadcast(""); }

}  // namespace patchnas
