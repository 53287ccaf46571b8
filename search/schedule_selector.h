#pragma once

// Judges architectures before any image is evaluated: lowers them and gives them their schedules.
//
//   const MacCost cost;
//   ScheduleSelector selector(space, target, cost);
//   const Selection selection = selector.select(architecture);
//   if (selection.candidate) evaluate(*selection.candidate);

#include <optional>
#include <string>

#include "arch/search_space.h"
#include "search/candidate.h"
#include "search/schedule_chooser.h"
#include "search/target.h"

namespace patchnas {

/// How far an architecture stays from the limits at its best schedule.
struct Miss {
  Architecture architecture;
  PatchSchedule schedule;
  CandidateCosts costs;

  /// The larger of needed / allowed over SRAM and flash; above 1.
  [[nodiscard]] double overrun(const Target& target) const;
};

/// "needs 40,960 bytes of SRAM (8,192 over the limit of 32,768) and ...".
std::string compare_with_limits(const CandidateCosts& costs, const Target& target);

/// Exactly one of the two is set.
struct Selection {
  std::optional<Candidate> candidate;
  std::optional<Miss> miss;
};

/// Keeps working memory between calls; one thread at a time.
class ScheduleSelector {
 public:
  /// `cost` must outlive it.
  ScheduleSelector(SearchSpace space, const Target& target, const CostModel& cost)
      : space_(std::move(space)), chooser_(space_.patch_grids, space_.split_points, target, cost) {}

  /// The architecture under the schedule that ScheduleChooser gives it.
  /// @throws InputError if the space does not contain the architecture.
  Selection select(const Architecture& architecture);

  [[nodiscard]] const SearchSpace& space() const { return space_; }
  [[nodiscard]] const Target& target() const { return chooser_.target(); }

 private:
  SearchSpace space_;
  ScheduleChooser chooser_;
  Network network_;  // the last one lowered, for its memory
};

}  // namespace patchnas
