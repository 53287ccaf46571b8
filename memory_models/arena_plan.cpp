#include "memory_models/arena_plan.h"

#include <algorithm>

#include "runtime/scratch.h"

namespace patchnas {
namespace {

// What the kernel of a depthwise layer asks for its largest tile.
std::int64_t in_place_scratch_bytes(const Network& network, const Liveness& liveness, int layer) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  if (l.kind != LayerKind::kDepthwiseConv2d) {
    return 0;
  }
  const SegmentGeometry* const segment = liveness.segment_of(layer);
  const int rows =
      segment != nullptr ? segment->largest_computed(Axis::kRows, layer) : l.output.height;
  const int cols =
      segment != nullptr ? segment->largest_computed(Axis::kCols, layer) : l.output.width;
  return patchnas_depthwise_scratch_bytes(rows, cols, l.kernel.height, l.kernel.width,
                                          l.kernel.stride_h, l.kernel.stride_w);
}

}  // namespace

int ArenaPlan::in_place_input(const Network& network, int layer) const {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  const int under = tensor(layer + 1).overwrites;
  for (int j = 0; j < l.input_count(); ++j) {
    if (under != kNoBuffer && l.inputs[static_cast<std::size_t>(j)] == under) {
      return j;
    }
  }
  return -1;
}

ArenaPlan unplaced_arena_plan(const Network& network, const PatchSchedule& schedule,
                              InputMode input) {
  const Liveness liveness(network, schedule, input);
  ArenaPlan plan;
  for (TensorId tensor = 0; tensor < network.tensor_count(); ++tensor) {
    plan.buffers.push_back(liveness.lifetime(tensor));
  }
  for (int layer = 0; layer < network.layer_count(); ++layer) {
    plan.scratch_buffer.push_back(kNoBuffer);
    const int in_place = liveness.in_place_input(layer);
    if (in_place < 0) {
      continue;
    }
    const TensorId under =
        network.layers[static_cast<std::size_t>(layer)].inputs[static_cast<std::size_t>(in_place)];
    ArenaBuffer& output = plan.buffers[static_cast<std::size_t>(layer) + 1];
    const std::int64_t scratch = in_place_scratch_bytes(network, liveness, layer);
    if (scratch >= std::min(plan.tensor(under).size_bytes, output.size_bytes)) {
      continue;
    }
    output.overwrites = under;
    if (scratch > 0) {
      plan.scratch_buffer.back() = static_cast<int>(plan.buffers.size());
      plan.buffers.push_back({.size_bytes = scratch, .first_layer = layer, .last_layer = layer});
    }
  }
  plan.lower_bound_bytes = arena_lower_bound(plan.buffers);
  return plan;
}

ArenaPlan plan_arena(const Network& network, const PatchSchedule& schedule, InputMode input) {
  ArenaPlan plan = unplaced_arena_plan(network, schedule, input);
  plan.arena_bytes = place_buffers(plan.buffers);
  return plan;
}

}  // namespace patchnas
