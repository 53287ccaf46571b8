#pragma once

// The schedules that cache rows, of one network, all at once: a shortest path over its cuts. A cut
// is a place where a single tensor passes; between two of them layers run whole or as a segment.
// Peak SRAM is the largest and MACs, or what is measured of latency, are the sum over the parts, so
// that with a limit of SRAM as a filter the cheapest path is the best of all chains of such
// segments.
//
//   SegmentSweep sweep({.most_strips = 12}, InputMode::kStreamed, &latency);
//   sweep.assign(network);
//   if (const auto best = sweep.cheapest(limit)) use(best->schedule);
//
// The path is exact: every chain between the cuts, in every number of strips and of rows a step.
// The numbers are those of the execution plan and scheduled_macs(); the geometry is drawn once for
// all segments that begin at a cut (rows) and for all that end at one (columns), and of steps of
// more rows from those of one. Most segments are never priced: their bytes are bounded from below.

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "arch/execution_plan.h"
#include "arch/network.h"
#include "arch/patch_schedule.h"
#include "arch/segment_costs.h"

namespace patchnas {

struct SegmentLimits {
  int most_strips = 12;
  auto operator<=>(const SegmentLimits&) const = default;
};

struct SegmentChain {
  PatchSchedule schedule;
  std::int64_t macs = 0;
  double cost = 0.0;  ///< the same, or what was given to be minimised
  /// The lower bound of the `deployed` arena, which the planner reaches in all but rare cases.
  std::int64_t deployed_bytes = 0;
  bool operator==(const SegmentChain&) const = default;
};

/// Keeps its working memory. One thread at a time.
class SegmentSweep {
 public:
  /// @param costs what is minimised; null for multiply-accumulates. Must outlive it. With costs a
  /// segment in a single piece is none.
  SegmentSweep(SegmentLimits limits, InputMode input, SegmentCosts* costs = nullptr);
  ~SegmentSweep();
  SegmentSweep(SegmentSweep&&) noexcept;
  SegmentSweep& operator=(SegmentSweep&&) noexcept;

  /// `network` must be valid and stay as it is. Nothing is priced before it is asked for.
  void assign(const Network& network);

  /// The cheapest chain that needs no more SRAM; among equals the one with the fewest calls in
  /// segments, then the one of least SRAM. Empty if there is none.
  std::optional<SegmentChain> cheapest(std::int64_t most_bytes);

  /// The chain of least SRAM, and of such the cheapest.
  SegmentChain least();

  /// Every chain that no other beats in both SRAM and cost, from the largest SRAM to the least.
  std::vector<SegmentChain> front();

 private:
  class Workspace;
  std::unique_ptr<Workspace> workspace_;
};

}  // namespace patchnas
