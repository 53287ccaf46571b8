#pragma once

// Judges architectures before any image is evaluated: lowers them and gives them their schedules.
//
//   CandidateFilter filter(space, target, latency_model_for(target).get());
//   const Judgement judgement = filter.judge(architecture);
//   if (judgement.fits) evaluate(judgement.candidate);

#include <string>
#include <string_view>

#include "arch/search_space.h"
#include "search/engine/candidate.h"
#include "search/engine/schedule_chooser.h"
#include "search/engine/target.h"

namespace patchnas {

/// The largest of needed / allowed over SRAM, flash, MACs and latency; above 1 if it does not fit.
double overrun(const CandidateCosts& costs, const Target& target);

/// "needs 40,960 bytes of SRAM (8,192 over the limit of 32,768) and ... of flash ...", with a limit
/// of MACs "..., and 5,100,000 MACs ...", with a latency table "..., and takes ...".
std::string compare_with_limits(const CandidateCosts& costs, const Target& target,
                                std::string_view latency_unit);

/// An architecture under its best schedule, not evaluated.
struct Judgement {
  Candidate candidate;
  bool fits = false;  ///< all limits
};

/// Keeps working memory between calls; one thread at a time.
class CandidateFilter {
 public:
  /// @param latency must outlive it; null where nothing was measured
  CandidateFilter(SearchSpace space, const Target& target, const LatencyModel* latency)
      : space_(std::move(space)), chooser_(space_.schedules, target, latency) {}

  /// The architecture under the schedule that ScheduleChooser gives it.
  /// @throws InputError if the space does not contain the architecture.
  Judgement judge(const Architecture& architecture);

  /// Of the latency table; empty without one.
  [[nodiscard]] std::string_view latency_unit() const { return chooser_.latency_unit(); }
  [[nodiscard]] const SearchSpace& space() const { return space_; }
  [[nodiscard]] const Target& target() const { return chooser_.target(); }

 private:
  SearchSpace space_;
  ScheduleChooser chooser_;
  Network network_;  // the last one lowered, for its memory
};

}  // namespace patchnas
