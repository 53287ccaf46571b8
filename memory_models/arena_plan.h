#pragma once

// The `deployed` memory model: exactly the arena that the exported program uses, every tensor's
// place in it and every kernel's scratch. The integer reference executes inside this plan.

#include <compare>
#include <cstdint>
#include <vector>

#include "arch/network.h"
#include "arch/patch_schedule.h"
#include "memory_models/arena_planner.h"
#include "memory_models/liveness.h"

namespace patchnas {

/// One tensor as the program holds it: NHWC, tightly packed. Inside a segment the buffer holds one
/// tile's window of the tensor, and its pitch is that window's width, which may change from tile to
/// tile.
struct ArenaPlan {
  std::int64_t arena_bytes = 0;
  std::int64_t lower_bound_bytes = 0;  ///< largest sum of simultaneously live bytes
  std::vector<ArenaBuffer> buffers;    ///< one per tensor, then scratch
  std::vector<int> scratch_buffer;     ///< per layer: index into buffers, kNoBuffer for none

  [[nodiscard]] const ArenaBuffer& tensor(TensorId id) const {
    return buffers[static_cast<std::size_t>(id)];
  }
  /// The input (0 or 1) that `layer` writes its output over; -1 if neither.
  [[nodiscard]] int in_place_input(const Network& network, int layer) const;
};

/// The buffers of plan_arena, not placed yet. In place where the kernels do so: a depthwise layer
/// over its input (with the scratch that the kernel asks for in runtime/scratch.h, one channel's
/// plane: output pixel i of channel c only ever overwrites input pixel i of the same channel), and
/// an add over an input whose window equals its own; in each case only if nothing reads the input
/// later. With few channels a depthwise layer's scratch can cost as much as a buffer of its own;
/// then it gets that.
ArenaPlan unplaced_arena_plan(const Network& network, const PatchSchedule& schedule,
                              InputMode input);

ArenaPlan plan_arena(const Network& network, const PatchSchedule& schedule, InputMode input);

}  // namespace patchnas
