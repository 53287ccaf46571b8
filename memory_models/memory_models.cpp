#include "memory_models/memory_models.h"

#include <algorithm>

namespace patchnas {
namespace {

std::vector<std::int64_t> deployed_layer_bytes(const Network& network,
                                               const PatchSchedule& schedule, InputMode input,
                                               std::int64_t& arena_bytes) {
  const ArenaPlan plan = plan_arena(network, schedule, input);
  arena_bytes = plan.arena_bytes;
  std::vector<std::int64_t> bytes(network.layers.size(), 0);
  for (const ArenaBuffer& buffer : plan.buffers) {
    for (int layer = buffer.first_layer; layer <= buffer.last_layer; ++layer) {
      bytes[static_cast<std::size_t>(layer)] += buffer.size_bytes;
    }
  }
  return bytes;
}

std::vector<std::int64_t> mcunetv2_layer_bytes(const Network& network,
                                               const PatchSchedule& schedule) {
  const Liveness liveness(network, schedule, InputMode::kStreamed);
  std::vector<std::int64_t> bytes(network.layers.size(), 0);
  for (TensorId tensor = 1; tensor < network.tensor_count(); ++tensor) {
    const ArenaBuffer buffer = liveness.lifetime(tensor);
    for (int layer = buffer.first_layer; layer <= buffer.last_layer; ++layer) {
      bytes[static_cast<std::size_t>(layer)] += buffer.size_bytes;
    }
  }
  const auto shared_bytes = [&](int layer) {
    const int input = liveness.in_place_input(layer);
    if (input < 0) {
      return std::int64_t{0};
    }
    const TensorId overwritten =
        network.layers[static_cast<std::size_t>(layer)].inputs[static_cast<std::size_t>(input)];
    return std::min(liveness.tensor_bytes(overwritten), liveness.tensor_bytes(layer + 1));
  };
  for (int layer = 0; layer < network.layer_count(); ++layer) {
    bytes[static_cast<std::size_t>(layer)] -= shared_bytes(layer);
    // A projection adds its residual as it writes: its output takes the place of the other addend.
    const int next = layer + 1;
    if (next < network.layer_count() &&
        network.layers[static_cast<std::size_t>(next)].kind == LayerKind::kAdd &&
        network.layers[static_cast<std::size_t>(next)].inputs[0] == layer + 1) {
      bytes[static_cast<std::size_t>(layer)] -= shared_bytes(next);
    }
  }
  return bytes;
}

}  // namespace

std::string_view to_string(MemoryModel model) {
  return model == MemoryModel::kDeployed ? "deployed" : "mcunetv2";
}

std::string_view to_string(InputMode input) {
  return input == InputMode::kResident ? "resident" : "streamed";
}

MemoryReport memory_report(const Network& network, const PatchSchedule& schedule, MemoryModel model,
                           InputMode input) {
  MemoryReport report;
  if (model == MemoryModel::kDeployed) {
    report.layer_bytes = deployed_layer_bytes(network, schedule, input, report.peak_sram_bytes);
  } else {
    report.layer_bytes = mcunetv2_layer_bytes(network, schedule);
    report.peak_sram_bytes =
        *std::max_element(report.layer_bytes.begin(), report.layer_bytes.end());
  }
  const auto peak = std::max_element(report.layer_bytes.begin(), report.layer_bytes.end());
  report.peak_layer = static_cast<int>(peak - report.layer_bytes.begin());
  return report;
}

}  // namespace patchnas
