#pragma once

// Which patch schedule an architecture gets: all (p, n) are enumerated, and of those that meet the
// limits the cheapest is kept (MCUNetV2, section 4.3).
//
//   const MacCost cost;
//   ScheduleSelector selector(space, target, cost);
//   const Selection selection = selector.select(architecture);
//   if (selection.candidate) evaluate(*selection.candidate);

#include <optional>
#include <string>

#include "arch/search_space.h"
#include "latency_models/latency_models.h"
#include "search/candidate.h"
#include "search/target.h"

namespace patchnas {

/// How far an architecture stays from the limits at its best schedule.
struct Miss {
  Architecture architecture;
  PatchSchedule schedule;
  CandidateCosts costs;

  /// The larger of needed / allowed over SRAM and flash; above 1.
  [[nodiscard]] double overrun(const Target& target) const;
  /// "needs 40,960 bytes of SRAM (8,192 over the limit of 32,768) and ...".
  [[nodiscard]] std::string describe(const Target& target) const;
};

/// Exactly one of the two is set.
struct Selection {
  std::optional<Candidate> candidate;
  std::optional<Miss> miss;
};

class ScheduleSelector {
 public:
  /// `cost` must outlive it.
  ScheduleSelector(SearchSpace space, const Target& target, const CostModel& cost)
      : space_(std::move(space)), target_(target), cost_(cost) {}

  /// The feasible schedule of least cost; among equals the one of least SRAM, then the smaller
  /// grid, then the earlier split.
  /// @throws InputError if the space does not contain the architecture.
  [[nodiscard]] Selection select(const Architecture& architecture) const;
  /// The architecture under one given schedule, whether it fits or not.
  [[nodiscard]] CandidateCosts costs(const Network& network, const PatchSchedule& schedule) const;

  [[nodiscard]] const SearchSpace& space() const { return space_; }
  [[nodiscard]] const Target& target() const { return target_; }

 private:
  SearchSpace space_;
  Target target_;
  const CostModel& cost_;
};

}  // namespace patchnas
