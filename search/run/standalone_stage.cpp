#include "search/run/standalone_stage.h"

#include <spdlog/spdlog.h>

#include "arch/base/error.h"
#include "search/base/files.h"
#include "search/engine/latency_file.h"
#include "search/engine/sram_advice.h"
#include "search/report/estimate.h"
#include "search/run/search_stage.h"

namespace patchnas {

Candidate only_candidate(const Config& config) {
  const std::unique_ptr<LatencyModel> latency = latency_model_for(config.target);
  CandidateFilter filter(config.space, config.target, latency.get());
  const Judgement judgement = filter.judge(*config.training.architecture);
  if (!judgement.fits) {
    throw InfeasibleError(
        "training.architecture: does not fit under any patch schedule; the closest " +
        compare_with_limits(judgement.candidate.costs, config.target, filter.latency_unit()) +
        sram_advice(lower(config.space, *config.training.architecture), judgement.candidate.costs,
                    config.target, config.space.schedules, kConfigSramWays));
  }
  return judgement.candidate;
}

void StandaloneStage::run() {
  if (!run_.writes()) {
    return;  // winner() asks rank 0
  }
  const Candidate candidate = only_candidate(run_.config());
  spdlog::info("search: {}",
               describe(lower(run_.config().space, candidate.architecture), candidate.schedule));
  write_file(run_.best_candidate_file(),
             to_json(SearchResult{.best = candidate, .counts = {.sampled = 1}}));
}

}  // namespace patchnas
