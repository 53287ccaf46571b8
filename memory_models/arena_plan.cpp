#include "memory_models/arena_plan.h"

#include <algorithm>

namespace patchnas {
namespace {

class Planner {
 public:
  Planner(const Network& network, const PatchSchedule& schedule, InputMode input)
      : network_(network), liveness_(network, schedule, input) {}

  ArenaPlan plan() {
    add_buffer(liveness_.lifetime(kImage));
    for (int layer = 0; layer < network_.layer_count(); ++layer) {
      add_output(layer);
    }
    for (std::size_t layer = 0; layer < scratch_bytes_.size(); ++layer) {
      const int at = static_cast<int>(layer);
      plan_.scratch_buffer.push_back(
          scratch_bytes_[layer] > 0 ? static_cast<int>(plan_.buffers.size()) : -1);
      if (scratch_bytes_[layer] > 0) {
        plan_.buffers.push_back(
            {.size_bytes = scratch_bytes_[layer], .first_layer = at, .last_layer = at});
      }
    }
    plan_.lower_bound_bytes = arena_lower_bound(plan_.buffers);
    plan_.arena_bytes = place_buffers(plan_.buffers);
    return std::move(plan_);
  }

 private:
  void add_buffer(const ArenaBuffer& buffer) {
    plan_.tensor_buffer.push_back(static_cast<int>(plan_.buffers.size()));
    plan_.buffers.push_back(buffer);
  }

  // One channel's plane of what a depthwise layer reads.
  [[nodiscard]] std::int64_t in_place_scratch_bytes(int layer) const {
    const Layer& l = network_.layers[static_cast<std::size_t>(layer)];
    if (l.kind != LayerKind::kDepthwiseConv2d) {
      return 0;
    }
    const SegmentGeometry* const segment = liveness_.segment_of(layer);
    return segment != nullptr ? segment->largest_read_pixels(layer)
                              : network_.shape(l.inputs[0]).pixels();
  }

  void add_output(int layer) {
    const ArenaBuffer output = liveness_.lifetime(layer + 1);
    const int in_place = liveness_.in_place_input(layer);
    std::int64_t scratch = 0;
    if (in_place >= 0) {
      const TensorId input = network_.layers[static_cast<std::size_t>(layer)]
                                 .inputs[static_cast<std::size_t>(in_place)];
      scratch = in_place_scratch_bytes(layer);
      // With few channels the scratch plane can cost more than a buffer of its own for the output.
      if (scratch < std::min(liveness_.tensor_bytes(input), output.size_bytes)) {
        const int shared = plan_.tensor_buffer[static_cast<std::size_t>(input)];
        ArenaBuffer& buffer = plan_.buffers[static_cast<std::size_t>(shared)];
        buffer.size_bytes = std::max(buffer.size_bytes, output.size_bytes);
        buffer.last_layer = output.last_layer;
        plan_.tensor_buffer.push_back(shared);
        scratch_bytes_.push_back(scratch);
        return;
      }
    }
    add_buffer(output);
    scratch_bytes_.push_back(0);
  }

  const Network& network_;
  Liveness liveness_;
  std::vector<std::int64_t> scratch_bytes_;  // per layer
  ArenaPlan plan_;
};

}  // namespace

int ArenaPlan::in_place_input(const Network& network, int layer) const {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  for (int j = 0; j < l.input_count(); ++j) {
    if (tensor_buffer[static_cast<std::size_t>(l.inputs[static_cast<std::size_t>(j)])] ==
        tensor_buffer[static_cast<std::size_t>(layer) + 1]) {
      return j;
    }
  }
  return -1;
}

ArenaPlan plan_arena(const Network& network, const PatchSchedule& schedule, InputMode input) {
  return Planner(network, schedule, input).plan();
}

}  // namespace patchnas
