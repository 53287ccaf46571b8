#include "memory_models/memory_models.h"

#include <algorithm>

namespace patchnas {
namespace {

std::vector<std::int64_t> deployed_bytes(const ExecutionPlan& plan, std::int64_t& peak) {
  const ArenaPlan arena = plan_arena(plan);
  peak = arena.arena_bytes;
  return live_bytes(arena.buffers);
}

std::vector<std::int64_t> mcunetv2_bytes(const ExecutionPlan& plan, std::int64_t& peak) {
  const int steps = static_cast<int>(plan.steps().size());
  std::vector<std::int64_t> bytes(plan.steps().size(), 0);
  for (TensorId tensor = 1; tensor < plan.tensor_count(); ++tensor) {
    const HeldTensor& held = plan.tensor(tensor);
    for (int step = held.first_step; step <= held.last_step; ++step) {
      bytes[static_cast<std::size_t>(step)] += held.bytes;
    }
  }
  const auto shared_bytes = [&](const Step& step) {
    if (step.dying_input < 0) {
      return std::int64_t{0};
    }
    const TensorId overwritten = step.inputs[static_cast<std::size_t>(step.dying_input)];
    return std::min(plan.tensor(overwritten).bytes, plan.tensor(step.output).bytes);
  };
  for (int i = 0; i < steps; ++i) {
    std::int64_t& of_step = bytes[static_cast<std::size_t>(i)];
    of_step -= shared_bytes(plan.step(i));
    // A projection adds its residual as it writes: its output takes the place of the other addend.
    if (i + 1 < steps && plan.loop_of(i).contains(i + 1) &&
        plan.step(i + 1).kernel == KernelFunction::kAdd &&
        plan.step(i + 1).inputs[0] == plan.step(i).output) {
      of_step -= shared_bytes(plan.step(i + 1));
    }
  }
  peak = *std::max_element(bytes.begin(), bytes.end());
  return bytes;
}

// Each step is two moments: its PAD operator's, if it has one, and its own. What convolutions write
// of a concatenation are tensors of their own there, which the last of its steps joins.
std::vector<std::int64_t> tflm_bytes(const Network& network, const ExecutionPlan& plan,
                                     std::int64_t& peak) {
  constexpr std::int64_t kAlignmentBytes = 16;
  const auto rounded = [](std::int64_t bytes) {
    return (bytes + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes;
  };
  const auto padded = [&](int step) {
    return network.layers[static_cast<std::size_t>(plan.step(step).first_layer)].pad_operator;
  };
  const auto is_padded = [&](int step) {
    return padded(step).is_present() && !plan.loop_of(step).geometry;
  };
  std::vector<ArenaBuffer> buffers;
  for (TensorId tensor = 0; tensor < plan.tensor_count(); ++tensor) {
    const HeldTensor& held = plan.tensor(tensor);
    const bool is_input = tensor < network.input_count();
    const int step = is_input ? -1 : plan.step_of_layer(tensor - 1);
    if (step >= 0 && is_padded(step)) {
      const std::int64_t pixels = std::int64_t{padded(step).height} * padded(step).width;
      buffers.push_back(
          {.size_bytes = rounded(pixels * plan.tensor(plan.step(step).inputs[0]).shape.channels),
           .first_step = 2 * step,
           .last_step = 2 * step + 1});
    }
    if (step >= 0 && network.layers[static_cast<std::size_t>(tensor) - 1].writes_part()) {
      const std::int64_t pixels = plan.tensor(held.bytes_of).bytes / held.shape.channels;
      const int part = network.layers[static_cast<std::size_t>(tensor) - 1].channels.count;
      buffers.push_back({.size_bytes = rounded(pixels * part),
                         .first_step = 2 * step + 1,
                         .last_step = 2 * plan.step_of_layer(held.bytes_of - 1) + 1});
    }
    const bool is_whole = step >= 0 && !plan.loop_of(step).geometry;
    const int first_step = is_whole ? step : held.first_step;
    const bool read_by_pad = held.last_step > step && is_padded(held.last_step);
    buffers.push_back({.size_bytes = rounded(held.bytes),
                       .first_step = 2 * first_step + (is_input ? 0 : 1),
                       .last_step = 2 * held.last_step + (read_by_pad ? 0 : 1)});
  }
  peak = greedy_by_size().place(buffers);
  const std::vector<std::int64_t> live = live_bytes(buffers);
  std::vector<std::int64_t> bytes;
  for (std::size_t moment = 0; moment < live.size(); moment += 2) {
    bytes.push_back(std::max(live[moment], live[moment + 1]));
  }
  return bytes;
}

// Whose image the model counts.
InputMode input_of(MemoryModel model, InputMode input) {
  switch (model) {
    case MemoryModel::kDeployed:
      return input;
    case MemoryModel::kMcunetV2:
      return InputMode::kStreamed;
    case MemoryModel::kTflm:
      break;
  }
  return InputMode::kResident;
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

MemoryReport memory_report(const Network& network, const PatchSchedule& schedule, MemoryModel model,
                           InputMode input) {
  const ExecutionPlan plan(network, schedule, input_of(model, input));
  std::int64_t peak = 0;
  const std::vector<std::int64_t> bytes =
      model == MemoryModel::kDeployed   ? deployed_bytes(plan, peak)
      : model == MemoryModel::kMcunetV2 ? mcunetv2_bytes(plan, peak)
                                        : tflm_bytes(network, plan, peak);
  MemoryReport report{.peak_sram_bytes = peak, .layer_bytes = layer_bytes(plan, bytes)};
  const auto fullest = std::max_element(report.layer_bytes.begin(), report.layer_bytes.end());
  report.peak_layer = static_cast<int>(fullest - report.layer_bytes.begin());
  return report;
}

}  // namespace patchnas
