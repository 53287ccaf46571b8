#include "memory_models/memory_models.h"

#include <algorithm>

namespace patchnas {
namespace {

MemoryReport deployed_report(const Network& network, const PatchSchedule& schedule,
                             InputMode input) {
  const ArenaPlan plan = plan_arena(network, schedule, input);
  return {.peak_sram_bytes = plan.arena_bytes, .layer_bytes = live_bytes(plan.buffers)};
}

MemoryReport mcunetv2_report(const Network& network, const PatchSchedule& schedule) {
  const Liveness liveness(network, schedule, InputMode::kStreamed);
  MemoryReport report;
  std::vector<std::int64_t>& bytes = report.layer_bytes;
  bytes.resize(network.layers.size(), 0);
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
    if (next < network.layer_count() && liveness.segment_of(layer) == liveness.segment_of(next) &&
        network.layers[static_cast<std::size_t>(next)].kind == LayerKind::kAdd &&
        network.layers[static_cast<std::size_t>(next)].inputs[0] == layer + 1) {
      bytes[static_cast<std::size_t>(layer)] -= shared_bytes(next);
    }
  }
  report.peak_sram_bytes = *std::max_element(bytes.begin(), bytes.end());
  return report;
}

// Each layer is two moments: its PAD operator's, if it has one, and its own.
MemoryReport tflm_report(const Network& network, const PatchSchedule& schedule) {
  constexpr std::int64_t kAlignmentBytes = 16;
  const auto rounded = [](std::int64_t bytes) {
    return (bytes + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes;
  };
  const Liveness liveness(network, schedule, InputMode::kResident);
  const auto is_padded = [&](int layer) {
    return network.layers[static_cast<std::size_t>(layer)].pad_operator.height > 0 &&
           liveness.segment_of(layer) == nullptr;
  };
  std::vector<ArenaBuffer> buffers;
  for (TensorId tensor = 0; tensor < network.tensor_count(); ++tensor) {
    if (const int layer = tensor - 1; layer >= 0 && is_padded(layer)) {
      const Layer& l = network.layers[static_cast<std::size_t>(layer)];
      const std::int64_t pixels = std::int64_t{l.pad_operator.height} * l.pad_operator.width;
      buffers.push_back({.size_bytes = rounded(pixels * network.shape(l.inputs[0]).channels),
                         .first_layer = 2 * layer,
                         .last_layer = 2 * layer + 1});
    }
    const ArenaBuffer lifetime = liveness.lifetime(tensor);
    const bool read_by_pad = lifetime.last_layer >= tensor && is_padded(lifetime.last_layer);
    buffers.push_back({.size_bytes = rounded(lifetime.size_bytes),
                       .first_layer = 2 * lifetime.first_layer + (tensor == kImage ? 0 : 1),
                       .last_layer = 2 * lifetime.last_layer + (read_by_pad ? 0 : 1)});
  }
  MemoryReport report;
  report.peak_sram_bytes = greedy_by_size().place(buffers);
  const std::vector<std::int64_t> live = live_bytes(buffers);
  for (std::size_t moment = 0; moment < live.size(); moment += 2) {
    report.layer_bytes.push_back(std::max(live[moment], live[moment + 1]));
  }
  return report;
}

MemoryReport report_of(const Network& network, const PatchSchedule& schedule, MemoryModel model,
                       InputMode input) {
  switch (model) {
    case MemoryModel::kDeployed:
      return deployed_report(network, schedule, input);
    case MemoryModel::kMcunetV2:
      return mcunetv2_report(network, schedule);
    case MemoryModel::kTflm:
      return tflm_report(network, schedule);
  }
  return {};
}

}  // namespace

std::string_view to_string(MemoryModel model) {
  switch (model) {
    case MemoryModel::kDeployed:
      return "deployed";
    case MemoryModel::kMcunetV2:
      return "mcunetv2";
    case MemoryModel::kTflm:
      return "tflm";
  }
  return "";
}

std::string_view to_string(InputMode input) {
  return input == InputMode::kResident ? "resident" : "streamed";
}

MemoryReport memory_report(const Network& network, const PatchSchedule& schedule, MemoryModel model,
                           InputMode input) {
  MemoryReport report = report_of(network, schedule, model, input);
  const auto peak = std::max_element(report.layer_bytes.begin(), report.layer_bytes.end());
  report.peak_layer = static_cast<int>(peak - report.layer_bytes.begin());
  return report;
}

}  // namespace patchnas
