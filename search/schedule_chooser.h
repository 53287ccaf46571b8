#pragma once

// Which patch schedule a network gets: all (p, n) are enumerated, and of those that meet the limits
// the cheapest is kept (MCUNetV2, section 4.3).
//
//   const MacCost cost;
//   ScheduleChooser chooser({{1, 1}, {2, 2}, {3, 3}}, SplitPoints::kLayers, target, cost);
//   const ScheduleChoice choice = chooser.choose(network);
//   if (!choice.fits) reject();

#include <vector>

#include "arch/network.h"
#include "arch/patch_schedule.h"
#include "latency_models/latency_models.h"
#include "memory_models/schedule_sweep.h"
#include "search/candidate.h"
#include "search/target.h"

namespace patchnas {

struct ScheduleChoice {
  PatchSchedule schedule;
  CandidateCosts costs;
  bool fits = false;  ///< both limits of the target
};

/// MACs, peak SRAM by the target's memory model, and flash, of one schedule.
CandidateCosts costs_of(const Network& network, const PatchSchedule& schedule,
                        const Target& target);

/// Every grid of up to `most` patches along each axis.
std::vector<TileGrid> grids_up_to(int most);

/// Keeps working memory between calls; one thread at a time.
class ScheduleChooser {
 public:
  /// `cost` must outlive it.
  ScheduleChooser(std::vector<TileGrid> grids, SplitPoints split_points, const Target& target,
                  const CostModel& cost)
      : target_(target), cost_(cost), sweep_(std::move(grids), split_points, target.input) {}

  /// The fitting schedule of least cost, among equals of least SRAM, then the smaller grid, then
  /// the earlier split. Where none fits, the one of least SRAM. `network` must be valid.
  ScheduleChoice choose(const Network& network);

  /// Every schedule, in the order of enumerate_schedules().
  std::vector<ScheduleChoice> all(const Network& network);

  [[nodiscard]] const Target& target() const { return target_; }

 private:
  // A schedule's numbers; its SRAM is a lower bound until the arena has been planned.
  struct Entry {
    const ScheduleCosts* costs = nullptr;
    std::int64_t sram_bytes = 0;
    std::int64_t flash_bytes = 0;
    double cost = 0.0;
    bool is_planned = false;
  };

  void collect(const Network& network);
  /// Plans the arenas of the entries that `preference` puts first until the first of all is
  /// planned; null if an entry that no longer satisfies `admits` was the last.
  template <typename Admits, typename Preference>
  const Entry* first_planned(const Network& network, const Admits& admits,
                             const Preference& preference);
  void plan(const Network& network, Entry& entry) const;
  [[nodiscard]] bool fits(const Entry& entry) const;
  [[nodiscard]] ScheduleChoice choice(const Entry& entry) const;

  Target target_;
  const CostModel& cost_;
  ScheduleSweep sweep_;
  std::vector<Entry> entries_;
};

}  // namespace patchnas
