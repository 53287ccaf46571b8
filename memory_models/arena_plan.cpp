#include "memory_models/arena_plan.h"

namespace patchnas {

ArenaPlan unplaced_arena_plan(const ExecutionPlan& plan) {
  ArenaPlan arena;
  arena.buffers.reserve(2 * static_cast<std::size_t>(plan.tensor_count()));
  for (TensorId tensor = 0; tensor < plan.tensor_count(); ++tensor) {
    const HeldTensor& held = plan.tensor(tensor);
    arena.buffers.push_back(
        {.size_bytes = held.bytes, .first_step = held.first_step, .last_step = held.last_step});
    arena.tensor_buffer.push_back(held.bytes_of);
  }
  for (int i = 0; i < static_cast<int>(plan.steps().size()); ++i) {
    const Step& step = plan.step(i);
    if (step.overlap.tensor != kNoTensor) {
      ArenaBuffer& output = arena.buffers[static_cast<std::size_t>(step.output)];
      output.overwrites = step.overlap.tensor;
      output.distance_bytes = -aligned(-step.overlap.distance_bytes);
      output.may_lie_apart = step.overlap.may_lie_apart;
      output.may_move = step.may_move;
      output.instead = step.instead;
    }
    arena.scratch_buffer.push_back(kNoBuffer);
    if (step.scratch_bytes > 0) {
      arena.scratch_buffer.back() = static_cast<int>(arena.buffers.size());
      const Loop& loop = plan.loop_of(i);
      arena.buffers.push_back({.size_bytes = step.scratch_bytes,
                               .first_step = step.adds_up ? loop.first_step : i,
                               .last_step = step.adds_up ? loop.end_step - 1 : i});
    }
  }
  arena.lower_bound_bytes = arena_lower_bound(arena.buffers);
  return arena;
}

ArenaPlan plan_arena(const ExecutionPlan& plan) {
  ArenaPlan arena = unplaced_arena_plan(plan);
  arena.arena_bytes = place_buffers(arena.buffers);
  return arena;
}

std::vector<std::int64_t> layer_bytes(const ExecutionPlan& plan,
                                      const std::vector<std::int64_t>& step_bytes) {
  std::vector<std::int64_t> bytes;
  for (std::size_t i = 0; i < plan.steps().size(); ++i) {
    const Step& step = plan.steps()[i];
    bytes.insert(bytes.end(), static_cast<std::size_t>(step.end_layer - step.first_layer),
                 step_bytes[i]);
  }
  return bytes;
}

}  // namespace patchnas
