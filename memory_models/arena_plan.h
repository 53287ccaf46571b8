#pragma once

// The `deployed` memory model: exactly the arena that the exported program uses, every tensor's
// place in it and every kernel's scratch. The integer reference executes inside this plan.
//
//   const ArenaPlan arena = plan_arena(ExecutionPlan(network, schedule, InputMode::kStreamed));

#include <cstdint>
#include <vector>

#include "arch/execution_plan.h"
#include "memory_models/arena_planner.h"

namespace patchnas {

/// Places for what an execution plan keeps. One buffer holds a whole tensor or, in a loop that has
/// windows of it, one tile's window, whose width may change from tile to tile.
struct ArenaPlan {
  std::int64_t arena_bytes = 0;
  std::int64_t lower_bound_bytes = 0;  ///< largest sum of simultaneously live bytes
  /// One per tensor, empty where that is in another's bytes; then scratch.
  std::vector<ArenaBuffer> buffers;
  std::vector<int> tensor_buffer;   ///< per tensor: index into buffers
  std::vector<int> scratch_buffer;  ///< per step: index into buffers, kNoBuffer for none

  [[nodiscard]] const ArenaBuffer& tensor(TensorId id) const {
    return buffers[static_cast<std::size_t>(tensor_buffer[static_cast<std::size_t>(id)])];
  }
};

/// The buffers of plan_arena, not placed yet.
ArenaPlan unplaced_arena_plan(const ExecutionPlan& plan);
ArenaPlan plan_arena(const ExecutionPlan& plan);

/// What is said of steps, said of the layers that they cover.
std::vector<std::int64_t> layer_bytes(const ExecutionPlan& plan,
                                      const std::vector<std::int64_t>& step_bytes);

}  // namespace patchnas
