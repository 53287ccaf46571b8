#include "memory_models/flash_model.h"

#include <algorithm>
#include <limits>

namespace patchnas {
namespace {

std::int64_t layer_parameters_bytes(KernelFunction kernel) {
  std::int64_t bytes = 0;
  for (const KernelConstant constant : kernel_facts(kernel).constants()) {
    bytes += measured_code_sizes().struct_bytes(constant);
  }
  return bytes;
}

FlashReport layer_constants(const Network& network, int layer, KernelFunction kernel) {
  const std::int64_t channels = bias_count(network, layer);
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  return {.weights_bytes = weight_count(network, layer) + operand_bytes(l),
          .biases_bytes = channels * std::int64_t{sizeof(std::int32_t)},
          .requantisation_bytes = channels * std::int64_t{sizeof(std::int32_t) + 1},
          .layer_parameters_bytes = layer_parameters_bytes(kernel)};
}

}  // namespace

FlashReport& FlashReport::operator+=(const FlashReport& other) {
  weights_bytes += other.weights_bytes;
  biases_bytes += other.biases_bytes;
  requantisation_bytes += other.requantisation_bytes;
  layer_parameters_bytes += other.layer_parameters_bytes;
  schedule_tables_bytes += other.schedule_tables_bytes;
  program_bytes += other.program_bytes;
  code_bytes += other.code_bytes;
  return *this;
}

KernelSet kernels_of_layers(const Network& network) {
  KernelSet kernels;
  for (const Layer& layer : network.layers) {
    if (layer.kind != LayerKind::kInput) {
      kernels.insert(kernel_function(layer));
    }
  }
  return kernels;
}

KernelSet kernels_of(const ExecutionPlan& plan) {
  KernelSet kernels;
  for (const Step& step : plan.steps()) {
    if (step.runs) {
      kernels.insert(step.kernel);
    }
    if (step.adds_up) {
      kernels.insert(step.part_kernel);
    }
  }
  for (const Loop& loop : plan.loops()) {
    if (!loop.slides.empty()) {
      kernels.insert(KernelFunction::kMove);
    }
  }
  return kernels;
}

std::int64_t row_count_bytes(const ExecutionPlan& plan) {
  int most = 0;
  for (const Loop& loop : plan.loops()) {
    if (loop.caches_rows()) {
      for (int step = loop.first_step; step < loop.end_step; ++step) {
        most = std::max({most, plan.tensor(plan.step(step).inputs[0]).shape.height,
                         plan.tensor(plan.step(step).output).shape.height});
      }
    }
  }
  return most <= std::numeric_limits<std::int8_t>::max() ? 1 : 2;
}

std::int64_t span_table_bytes(const TileGrid& grid) {
  const int rows = grid.rows > 1 ? grid.rows : 0;
  const int cols = grid.cols > 1 ? grid.cols : 0;
  return (std::int64_t{rows} + cols) * kLayerSpanBytes;
}

FlashReport step_flash(const Network& network, const ExecutionPlan& plan, Core core, int step) {
  FlashReport flash;
  const Loop& loop = plan.loop_of(step);
  const KernelFunction kernel = plan.step(step).kernel;
  for (int layer = plan.step(step).first_layer; layer < plan.step(step).end_layer; ++layer) {
    if (network.layers[static_cast<std::size_t>(layer)].kind == LayerKind::kInput) {
      continue;
    }
    flash += layer_constants(network, layer, kernel);
    flash.program_bytes +=
        measured_program_sizes().call_bytes(core, network, layer, kernel, call_form(loop));
    if (loop.geometry) {
      const int with_image = layer == 0 && loop.fetches_image ? 1 : 0;
      flash.schedule_tables_bytes +=
          (1 + with_image) * (loop.caches_rows()
                                  ? 2 * row_count_bytes(plan) * (loop.grid().rows + 1) +
                                        span_table_bytes({1, loop.grid().cols})
                                  : span_table_bytes(loop.grid()));
    }
  }
  return flash;
}

FlashReport flash_report(const Network& network, const ExecutionPlan& plan, Core core) {
  FlashReport flash;
  for (int step = 0; step < static_cast<int>(plan.steps().size()); ++step) {
    flash += step_flash(network, plan, core, step);
  }
  flash.program_bytes = measured_program_sizes().bytes(core, program_parts(network, plan));
  flash.code_bytes = measured_code_sizes().code_bytes(core, kernels_of(plan));
  return flash;
}

void FlashSweep::prepare(const Network& network) {
  const ProgramSizeTable& program = measured_program_sizes();
  whole_bytes_ = program.bytes(core_, program_part(input_));
  patch_loops_bytes_ = program.bytes(core_, ProgramPart::kPatchLoops);
  more_in_patches_.resize(network.layers.size() + 1);
  more_in_patches_.front() = 0;
  last_reader_of_image_ = 0;
  for (int i = 0; i < network.layer_count(); ++i) {
    const auto index = static_cast<std::size_t>(i);
    const Layer& layer = network.layers[index];
    const KernelFunction kernel = kernel_function(layer);
    if (layer.kind == LayerKind::kInput) {
      more_in_patches_[index + 1] = more_in_patches_[index];
      continue;
    }
    const std::int64_t whole = program.call_bytes(core_, network, i, kernel, CallForm::kWhole);
    whole_bytes_ += layer_constants(network, i, kernel).total_bytes() + whole;
    more_in_patches_[index + 1] = more_in_patches_[index] - whole +
                                  program.call_bytes(core_, network, i, kernel, CallForm::kPatch);
    if (layer.inputs[0] == kImage || layer.inputs[1] == kImage) {
      last_reader_of_image_ = i;
    }
  }
  whole_bytes_ += measured_code_sizes().code_bytes(core_, kernels_of_layers(network));
}

std::int64_t FlashSweep::total_bytes(const ScheduleCosts& costs) const {
  std::int64_t bytes = whole_bytes_;
  if (costs.split_layer > 0) {
    const bool streams_patches =
        input_ == InputMode::kStreamed && last_reader_of_image_ < costs.split_layer;
    bytes += patch_loops_bytes_ + more_in_patches_[static_cast<std::size_t>(costs.split_layer)] +
             (costs.split_layer + (streams_patches ? 1 : 0)) * span_table_bytes(costs.grid);
  }
  return bytes;
}

}  // namespace patchnas
