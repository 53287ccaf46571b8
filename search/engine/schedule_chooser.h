#pragma once

// Which schedule a network gets: of those that meet the limits the cheapest. MCUNetV2's patches are
// all enumerated (section 4.3); of segments that cache rows the best chain is a shortest path
// (memory_models/segment_sweep.h).
//
//   ScheduleChooser chooser(space.schedules, target, &latency_model);
//   const ScheduleChoice choice = chooser.choose(network);
//   if (!choice.fits) reject();

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "arch/network.h"
#include "arch/patch_schedule.h"
#include "latency_models/schedule_latency.h"
#include "latency_models/segment_latency.h"
#include "memory_models/flash_model.h"
#include "memory_models/schedule_sweep.h"
#include "memory_models/segment_sweep.h"
#include "search/engine/candidate.h"
#include "search/engine/target.h"

namespace patchnas {

struct ScheduleChoice {
  PatchSchedule schedule;
  CandidateCosts costs;
  bool fits = false;  ///< all limits of the target
};

/// MACs, peak SRAM by the target's memory model, flash, and with a latency model latency, of one
/// schedule.
CandidateCosts costs_of(const Network& network, const PatchSchedule& schedule, const Target& target,
                        const LatencyModel* latency = nullptr);
/// Whether they meet all limits.
bool meets_limits(const CandidateCosts& costs, const Target& target);

/// Every grid of up to `most` patches along each axis.
std::vector<TileGrid> grids_up_to(int most);

/// Keeps working memory between calls; one thread at a time.
class ScheduleChooser {
 public:
  /// @param latency must outlive it; null where nothing was measured
  ScheduleChooser(const ScheduleSpace& schedules, const Target& target,
                  const LatencyModel* latency);

  /// The fitting schedule of least latency, or of fewest MACs without a latency model; among equals
  /// of least SRAM, then the smaller grid, then the earlier split. Chains of segments that cache
  /// rows are known to the `deployed` memory model alone. Where none fits, of those that fit SRAM,
  /// flash and MACs the one of least latency, else of those that fit SRAM and flash the one of
  /// fewest MACs, else the one of least SRAM. `network` must be valid.
  ScheduleChoice choose(const Network& network);

  /// Every schedule of patches, in the order of enumerate_schedules(), and of the chains of
  /// segments that cache rows those that no other beats in both SRAM and latency, or MACs.
  std::vector<ScheduleChoice> all(const Network& network);

  [[nodiscard]] const Target& target() const { return target_; }
  /// Of the latency model; empty without one.
  [[nodiscard]] std::string_view latency_unit() const {
    return latency_ ? latency_->model().unit() : std::string_view();
  }

 private:
  // A schedule's numbers; its SRAM is a lower bound until the arena has been planned.
  struct Entry {
    const ScheduleCosts* costs = nullptr;
    std::int64_t sram_bytes = 0;
    std::int64_t flash_bytes = 0;
    std::optional<double> latency;
    bool is_planned = false;
  };

  [[nodiscard]] bool caches_rows() const {
    return family_ != ScheduleFamily::kPatches && target_.memory_model == MemoryModel::kDeployed;
  }
  ScheduleChoice choose_patches(const Network& network);
  /// The schedule with as many rows a step, or half as many again and again, as its arena has room
  /// for; empty if it needs more with one.
  [[nodiscard]] std::optional<ScheduleChoice> with_longest_steps(const Network& network,
                                                                 PatchSchedule schedule,
                                                                 std::int64_t sram_bytes) const;
  /// The same in no more than it needs with one row a step.
  [[nodiscard]] ScheduleChoice with_longest_steps(const Network& network,
                                                  const PatchSchedule& schedule) const;
  /// Empty if no chain needs so little.
  std::optional<ScheduleChoice> choose_rows(const Network& network, std::int64_t sram_bytes);
  [[nodiscard]] ScheduleChoice priced(const Network& network, PatchSchedule schedule) const;
  void collect(const Network& network);
  /// Plans the arenas of the entries that `preference` puts first until the first of all is
  /// planned; null if an entry that no longer satisfies `admits` was the last.
  template <typename Admits, typename Preference>
  Entry* first_planned(const Network& network, const Admits& admits, const Preference& preference);
  void plan(const Network& network, Entry& entry) const;
  [[nodiscard]] bool fits_memory(const Entry& entry) const;
  void add_latency(Entry& entry);
  ScheduleChoice choice(Entry& entry);

  ScheduleFamily family_;
  Target target_;
  std::optional<ScheduleLatency> latency_;
  std::unique_ptr<SegmentLatency> segment_latency_;  // of segments_
  SegmentSweep segments_;
  ScheduleSweep sweep_;
  FlashSweep flash_;
  std::vector<Entry> entries_;
};

}  // namespace patchnas
