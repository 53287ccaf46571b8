#pragma once

// Memory and multiply-accumulates of one network under every patch schedule of MCUNetV2's form at
// once: what a search asks for each candidate.
//
//   ScheduleSweep sweep({{2, 2}, {3, 3}}, SplitPoints::kLayers, InputMode::kStreamed);
//   for (const ScheduleCosts& costs : sweep.run(network)) ...
//
// The numbers are those of scheduled_macs() and, of the execution plan, unplaced_arena_plan()
// and memory_report(); only the order of the work differs. All split layers of one
// grid are computed together, a lane for each: the backward pass of tile_geometry.h and the forward
// sum of live bytes run over contiguous lanes, and the schedules that materialise a tensor are a
// range of them. What runs after the patch stage is the same for every schedule and computed once.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "arch/execution_plan.h"
#include "arch/network.h"
#include "arch/patch_schedule.h"

namespace patchnas {

struct ScheduleCosts {
  TileGrid grid;
  int split_layer = 0;  ///< 0 for layer-by-layer execution
  std::int64_t macs = 0;
  /// The lower bound of the `deployed` arena, which the planner reaches in all but rare cases
  /// (docs/memory.md): plan_arena() says what it is for a schedule that is chosen.
  std::int64_t deployed_bytes = 0;
  std::int64_t mcunetv2_bytes = 0;

  [[nodiscard]] PatchSchedule schedule() const { return PatchSchedule::leading(grid, split_layer); }
  bool operator==(const ScheduleCosts&) const = default;
};

/// Keeps its working memory: after the largest network, running allocates nothing. One thread at a
/// time.
class ScheduleSweep {
 public:
  ScheduleSweep(std::vector<TileGrid> grids, SplitPoints split_points, InputMode input);
  ~ScheduleSweep();
  ScheduleSweep(ScheduleSweep&&) noexcept;
  ScheduleSweep& operator=(ScheduleSweep&&) noexcept;

  /// Layer-by-layer execution, then for every grid all split layers whose output it can tile: the
  /// schedules of enumerate_schedules(), in its order. The result is valid until the next run.
  /// `network` must be valid.
  /// @throws InputError if all its tensors together have 2 GiB or more.
  std::span<const ScheduleCosts> run(const Network& network);

 private:
  class Workspace;
  std::unique_ptr<Workspace> workspace_;
};

}  // namespace patchnas
