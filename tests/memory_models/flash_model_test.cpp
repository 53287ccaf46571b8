#include "memory_models/flash_model.h"

#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/arch.h"
#include "arch/base/error.h"
#include "memory_models/memory_models.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

using testing::random_network;

constexpr int kNetworks = 200;

std::int64_t bytes_of(Core core, ProgramPart part) {
  return measured_program_sizes().bytes(core, part);
}

TEST(FlashModel, ItsItemsAreTheSumsOverTheLayers) {
  RandomStream stream(1, "flash/layers");
  for (int i = 0; i < kNetworks; ++i) {
    const Network network = random_network(stream);
    const InputMode input =
        stream.pick(std::vector(std::begin(kInputModes), std::end(kInputModes)));
    for (const PatchSchedule& schedule : testing::all_schedules(network, stream)) {
      const ExecutionPlan plan(network, schedule, input);
      FlashReport sum;
      for (int step = 0; step < static_cast<int>(plan.steps().size()); ++step) {
        sum += step_flash(network, plan, Core::kCortexM7, step);
      }
      EXPECT_EQ(sum.code_bytes, 0);
      sum.program_bytes += bytes_of(Core::kCortexM7, program_part(input));
      for (const Loop& loop : plan.loops()) {
        if (loop.caches_rows() || loop.grid() != TileGrid{}) {
          sum.program_bytes +=
              bytes_of(Core::kCortexM7,
                       loop.caches_rows() ? ProgramPart::kStepLoops : ProgramPart::kPatchLoops);
        }
        sum.program_bytes += static_cast<std::int64_t>(loop.slides.size()) *
                             bytes_of(Core::kCortexM7, ProgramPart::kSlide);
      }
      sum.code_bytes = measured_code_sizes().code_bytes(Core::kCortexM7, kernels_of(plan));
      EXPECT_EQ(flash_report(network, plan, Core::kCortexM7), sum);
    }
  }
}

TEST(FlashModel, ConstantsAreThoseOfTheParameters) {
  RandomStream stream(2, "flash/constants");
  for (int i = 0; i < kNetworks; ++i) {
    const Network network = random_network(stream);
    const FlashReport flash =
        flash_report(network, ExecutionPlan(network, {}, InputMode::kResident), Core::kCortexM4);
    std::int64_t operands = 0;
    for (const Layer& layer : network.layers) {
      operands += operand_bytes(layer);
    }
    EXPECT_EQ(flash.weights_bytes - operands + flash.biases_bytes / 4, parameter_count(network));
    EXPECT_EQ(flash.requantisation_bytes * 4, flash.biases_bytes * 5);
    EXPECT_EQ(flash.schedule_tables_bytes, 0);
  }
}

TEST(FlashModel, AScheduleStoresTheIntervalsOfEveryTileIndexAndLayerOnce) {
  Network network{.input = {24, 24, 2}, .layers = {}, .names = {}};
  for (int i = 0; i < 6; ++i) {
    network.layers.push_back({.inputs = {i, kNoTensor}, .output = {24, 24, 2}, .kernel = {}});
  }
  const auto tables = [&](const PatchSchedule& schedule, InputMode input) {
    return flash_report(network, ExecutionPlan(network, schedule, input), Core::kCortexM4)
        .schedule_tables_bytes;
  };
  using enum InputMode;
  // 3 rows and 4 columns of tiles over 5 layers; four 16-bit numbers each.
  EXPECT_EQ(tables(PatchSchedule::leading({3, 4}, 5), kResident), (3 + 4) * 5 * 4 * 2);
  // What the tiles read of a streamed image as well.
  EXPECT_EQ(tables(PatchSchedule::leading({3, 4}, 5), kStreamed), (3 + 4) * 6 * 4 * 2);
  // Nothing along an axis with one tile.
  const PatchSchedule two{.segments = {{.first_layer = 0, .end_layer = 2, .grid = {2, 2}},
                                       {.first_layer = 3, .end_layer = 6, .grid = {1, 5}}}};
  EXPECT_EQ(tables(two, kResident), (2 * (2 + 2) + 3 * 5) * 8);
  EXPECT_EQ(tables(PatchSchedule::layer_by_layer(), kStreamed), 0);
  // Cached rows: two bytes a layer before the first of 12 steps and after each, and the strips'.
  EXPECT_EQ(tables({{Segment::rows(0, 5, 2, 3)}}, kResident), 13 * 5 * 2 + 3 * 5 * 4 * 2);
  EXPECT_EQ(tables({{Segment::rows(0, 5, 2, 1)}}, kStreamed), 13 * 6 * 2);
}

TEST(FlashModel, AProgramHasOneCallALayer) {
  RandomStream stream(3, "flash/program");
  for (int i = 0; i < kNetworks; ++i) {
    const Network network = random_network(stream);
    for (const PatchSchedule& schedule : testing::all_schedules(network, stream)) {
      const ProgramParts parts =
          program_parts(network, ExecutionPlan(network, schedule, InputMode::kStreamed));
      EXPECT_EQ(parts.count(ProgramPart::kStreamedProgram), 1);
      EXPECT_EQ(parts.count(ProgramPart::kResidentProgram), 0);
      int patches = 0;
      int steps = 0;
      int layers_in_patches = 0;
      int layers_in_steps = 0;
      for (const Segment& segment : schedule.segments) {
        if (segment.halo() == HaloPolicy::kCache) {
          ++steps;
          layers_in_steps += segment.end_layer - segment.first_layer;
        } else if (segment.grid != TileGrid{1, 1}) {
          ++patches;
          layers_in_patches += segment.end_layer - segment.first_layer;
        }
      }
      EXPECT_EQ(parts.count(ProgramPart::kPatchLoops), patches);
      EXPECT_EQ(parts.count(ProgramPart::kStepLoops), steps);
      using enum ProgramPart;
      int step_calls = 0;
      for (const ProgramPart part :
           {kConvolutionStep, kPoolStep, kAddStep, kSoftmaxStep, kFullyConnectedStep, kSum}) {
        step_calls += parts.count(part);
      }
      int patch_calls = 0;
      for (const ProgramPart part : {kConvolutionPatch, kPoolPatch, kAddPatch, kSoftmaxPatch}) {
        patch_calls += parts.count(part);
      }
      int whole_calls = 0;
      for (const ProgramPart part : {kConvolution, kPool, kAdd, kFullyConnected, kSoftmax}) {
        whole_calls += parts.count(part);
      }
      // Of what reads everything there are no patches.
      EXPECT_LE(patch_calls, layers_in_patches);
      EXPECT_EQ(step_calls, layers_in_steps);
      EXPECT_EQ(patch_calls + step_calls + whole_calls,
                network.layer_count() + 1 - network.input_count());
    }
  }
}

TEST(FlashModel, KernelsAreThoseOfTheLayersKinds) {
  RandomStream stream(4, "flash/kernels");
  for (int i = 0; i < kNetworks; ++i) {
    const Network network = random_network(stream);
    const KernelSet kernels = kernels_of(ExecutionPlan(network, {}, InputMode::kResident));
    for (const KernelFacts& facts : kKernels) {
      const bool is_called =
          std::any_of(network.layers.begin(), network.layers.end(), [&](const Layer& layer) {
            return layer.kind != LayerKind::kInput && kernel_function(layer) == facts.function;
          });
      EXPECT_EQ(kernels.contains(facts.function), is_called) << facts.name;
    }
  }
}

TEST(FlashModel, TheSweepIsTheReportOfEverySchedule) {
  RandomStream stream(6, "flash/sweep");
  const std::vector<TileGrid> grids{{1, 1}, {2, 2}, {3, 3}, {1, 3}, {4, 2}};
  for (const InputMode input : kInputModes) {
    ScheduleSweep sweep(grids, SplitPoints::kLayers, input);
    FlashSweep flash(input, Core::kCortexM55);
    for (int i = 0; i < kNetworks; ++i) {
      const Network network = random_network(stream);
      flash.prepare(network);
      for (const ScheduleCosts& costs : sweep.run(network)) {
        ASSERT_EQ(
            flash.total_bytes(costs),
            flash_report(network, ExecutionPlan(network, costs.schedule(), input), Core::kCortexM55)
                .total_bytes())
            << to_json(costs.schedule());
      }
    }
  }
}

// The table -----------------------------------------------------------------------------------

std::string table_text(const std::string& first_core_extra) {
  std::string text = "sources_sha256: 0123abcd\nstructs:\n";
  for (const KernelConstantFacts& constant : kKernelConstants) {
    text += "  " + std::string(constant.type) + ": 32\n";
  }
  text += "targets:\n";
  for (const Core core : kCores) {
    text += "  " + std::string(to_string(core)) + ":\n    kernels:\n";
    int bytes = 100;
    for (const KernelFacts& kernel : kKernels) {
      text += "      " + std::string(kernel.name) + ": " + std::to_string(bytes) + "\n";
      bytes += 100;
    }
    text += core == kCores[0] ? first_core_extra : "";
  }
  return text;
}

TEST(CodeSizeTable, SharedCodeCountsOnceAndOnlyWithItsUsers) {
  const CodeSizeTable table = CodeSizeTable::parse(
      table_text("    shared:\n"
                 "      - {name: helper, bytes: 7, kernels: patchnas_convolve patchnas_add}\n"
                 "      - {name: other, bytes: 1, kernels: patchnas_query patchnas_max_pool}\n"),
      "table");
  using enum KernelFunction;
  const auto bytes = [&](const KernelSet& kernels) {
    return table.code_bytes(Core::kCortexM4, kernels);
  };
  EXPECT_EQ(bytes({}), 0);
  EXPECT_EQ(bytes({kConvolve}), 100 + 7);
  EXPECT_EQ(bytes({kConvolve, kAdd}), 100 + 400 + 7);
  EXPECT_EQ(bytes({kDepthwise}), 300);
  EXPECT_EQ(bytes({kMaxPool}), 600 + 1);
  EXPECT_EQ(table.code_bytes(Core::kCortexM7, {kConvolve, kAdd}), 500);
  EXPECT_EQ(table.kernel_bytes(Core::kCortexM4, kConvolve), 100);
}

TEST(CodeSizeTable, WhatIsMissingIsNamed) {
  std::string text = table_text("");
  text.replace(text.find("patchnas_max_pool"), 17, "patchnas_minimums");
  EXPECT_THAT([&] { CodeSizeTable::parse(text, "table"); },
              ::testing::ThrowsMessage<InputError>(::testing::HasSubstr("patchnas_max_pool")));
}

TEST(ProgramSizeTable, WhatIsMissingIsNamed) {
  const std::string text = "targets: {cortex-m4: {resident_program: 50}}";
  EXPECT_THAT([&] { ProgramSizeTable::parse(text, "table"); },
              ::testing::ThrowsMessage<InputError>(::testing::HasSubstr("streamed_program")));
}

TEST(CodeSizeTable, EveryKernelHasBeenMeasuredOnEveryCore) {
  const CodeSizeTable& table = measured_code_sizes();
  for (const Core core : kCores) {
    for (const KernelFacts& kernel : kKernels) {
      EXPECT_GT(table.code_bytes(core, {kernel.function}), 0) << to_string(core) << kernel.name;
    }
  }
}

}  // namespace
}  // namespace patchnas
