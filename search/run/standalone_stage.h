#pragma once

// The search of a run whose network is given: nothing but its patch schedule is open.

#include "search/engine/candidate.h"
#include "search/run/stage.h"

namespace patchnas {

/// The architecture under the schedule that the search would give it.
/// @throws InfeasibleError naming the limits that its closest schedule misses.
Candidate only_candidate(const Config& config);

class StandaloneStage : public Stage {
 public:
  explicit StandaloneStage(RunDirectory& run) : run_(run) {}
  [[nodiscard]] StageId id() const override { return StageId::kSearch; }
  /// Writes best/candidate.json, without an accuracy.
  void run() override;

 private:
  RunDirectory& run_;
};

}  // namespace patchnas
