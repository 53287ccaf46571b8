#include "memory_models/flash_model.h"

#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/arch.h"
#include "arch/error.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

using testing::random_general_network;
using testing::random_lowered_network;

constexpr int kNetworks = 200;

Network random_network(RandomStream& stream, int index) {
  return index % 2 == 0 ? random_lowered_network(stream) : random_general_network(stream);
}

bool has_kind(const Network& network, LayerKind kind) {
  return std::any_of(network.layers.begin(), network.layers.end(),
                     [kind](const Layer& layer) { return layer.kind == kind; });
}

TEST(FlashModel, ItsItemsAreTheSumsOverTheLayers) {
  RandomStream stream(1, "flash/layers");
  for (int i = 0; i < kNetworks; ++i) {
    const Network network = random_network(stream, i);
    for (const PatchSchedule& schedule : testing::all_schedules(network, stream)) {
      FlashReport sum;
      for (int layer = 0; layer < network.layer_count(); ++layer) {
        sum += layer_flash(network, schedule, layer);
      }
      EXPECT_EQ(sum.code_bytes, 0);
      EXPECT_EQ(sum.schedule_tables_bytes, schedule_tables_bytes(schedule));
      sum.code_bytes = measured_code_sizes().code_bytes(Core::kCortexM7, kernels_of(network));
      EXPECT_EQ(flash_report(network, schedule, Core::kCortexM7), sum);
    }
  }
}

TEST(FlashModel, ConstantsAreThoseOfTheParameters) {
  RandomStream stream(2, "flash/constants");
  for (int i = 0; i < kNetworks; ++i) {
    const Network network = random_network(stream, i);
    const FlashReport flash =
        flash_report(network, PatchSchedule::layer_by_layer(), Core::kCortexM4);
    EXPECT_EQ(flash.weights_bytes + flash.biases_bytes / 4, parameter_count(network));
    EXPECT_EQ(flash.requantisation_bytes * 4, flash.biases_bytes * 5);
    EXPECT_EQ(flash.schedule_tables_bytes, 0);
  }
}

TEST(FlashModel, OnlyTheTablesDependOnTheSchedule) {
  RandomStream stream(3, "flash/schedule");
  for (int i = 0; i < kNetworks; ++i) {
    const Network network = random_network(stream, i);
    const FlashReport plain =
        flash_report(network, PatchSchedule::layer_by_layer(), Core::kCortexM55);
    for (const PatchSchedule& schedule : testing::all_schedules(network, stream)) {
      const FlashReport flash = flash_report(network, schedule, Core::kCortexM55);
      EXPECT_EQ(flash.total_bytes(), plain.total_bytes() + schedule_tables_bytes(schedule));
    }
  }
}

TEST(FlashModel, AScheduleStoresTheIntervalsOfEveryTileIndexAndLayerOnce) {
  // 3 rows and 4 columns of tiles over 5 layers; four 16-bit numbers each.
  EXPECT_EQ(schedule_tables_bytes(PatchSchedule::leading({3, 4}, 5)), (3 + 4) * 5 * 4 * 2);
  const PatchSchedule two{.segments = {{.first_layer = 0, .end_layer = 2, .grid = {2, 2}},
                                       {.first_layer = 3, .end_layer = 6, .grid = {1, 5}}}};
  EXPECT_EQ(schedule_tables_bytes(two), (2 * (2 + 2) + 3 * (1 + 5)) * 8);
  EXPECT_EQ(schedule_tables_bytes(PatchSchedule::layer_by_layer()), 0);
}

TEST(FlashModel, KernelsAreThoseOfTheLayersKinds) {
  RandomStream stream(4, "flash/kernels");
  for (int i = 0; i < kNetworks; ++i) {
    const Network network = random_network(stream, i);
    const KernelSet kernels = kernels_of(network);
    const auto agrees = [&](KernelFunction kernel, LayerKind kind) {
      return kernels.contains(kernel) == has_kind(network, kind);
    };
    EXPECT_EQ(
        kernels.contains(KernelFunction::kConvolve) || kernels.contains(KernelFunction::kPointwise),
        has_kind(network, LayerKind::kConv2d));
    EXPECT_TRUE(agrees(KernelFunction::kDepthwise, LayerKind::kDepthwiseConv2d));
    EXPECT_TRUE(agrees(KernelFunction::kDepthwiseInPlace, LayerKind::kDepthwiseConv2d));
    EXPECT_TRUE(agrees(KernelFunction::kAdd, LayerKind::kAdd));
    EXPECT_TRUE(agrees(KernelFunction::kAveragePool, LayerKind::kAveragePool));
    EXPECT_TRUE(agrees(KernelFunction::kMaxPool, LayerKind::kMaxPool));
    EXPECT_TRUE(agrees(KernelFunction::kFullyConnected, LayerKind::kFullyConnected));
    EXPECT_TRUE(agrees(KernelFunction::kSoftmax, LayerKind::kSoftmax));
  }
}

TEST(FlashModel, APlanSaysWhichDepthwiseKernelsRun) {
  RandomStream stream(5, "flash/plan");
  for (int i = 0; i < kNetworks; ++i) {
    const Network network = random_network(stream, i);
    const PatchSchedule schedule;
    const ArenaPlan plan = plan_arena(network, schedule, InputMode::kResident);
    const KernelSet exact = kernels_of(network, plan);
    const KernelSet possible = kernels_of(network);
    bool in_place = false;
    bool apart = false;
    for (int layer = 0; layer < network.layer_count(); ++layer) {
      if (network.layers[static_cast<std::size_t>(layer)].kind == LayerKind::kDepthwiseConv2d) {
        (plan.in_place_input(network, layer) >= 0 ? in_place : apart) = true;
      }
    }
    EXPECT_EQ(exact.contains(KernelFunction::kDepthwiseInPlace), in_place);
    EXPECT_EQ(exact.contains(KernelFunction::kDepthwise), apart);
    for (const KernelFunction kernel : kKernelFunctions) {
      EXPECT_LE(exact.contains(kernel), possible.contains(kernel));
    }
    EXPECT_LE(flash_report(network, schedule, Core::kCortexM4, exact).total_bytes(),
              flash_report(network, schedule, Core::kCortexM4).total_bytes());
  }
}

// The table -----------------------------------------------------------------------------------

std::string table_text(const std::string& first_core_extra) {
  std::string text =
      "sources_sha256: 0123abcd\n"
      "structs: {patchnas_kernel: 32, patchnas_weights: 24, patchnas_add_scales: 44}\n"
      "targets:\n";
  for (const Core core : kCores) {
    text += "  " + std::string(to_string(core)) + ":\n    kernels:\n";
    int bytes = 100;
    for (const KernelFunction kernel : kKernelFunctions) {
      text += "      " + std::string(to_string(kernel)) + ": " + std::to_string(bytes) + "\n";
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
  EXPECT_EQ(bytes({kConvolve, kAdd}), 100 + 500 + 7);
  EXPECT_EQ(bytes({kDepthwise}), 300);
  EXPECT_EQ(bytes({kMaxPool}), 700 + 1);
  EXPECT_EQ(table.code_bytes(Core::kCortexM7, {kConvolve, kAdd}), 600);
  EXPECT_EQ(table.kernel_bytes(Core::kCortexM4, kConvolve), 100);
}

TEST(CodeSizeTable, WhatIsMissingIsNamed) {
  std::string text = table_text("");
  text.replace(text.find("patchnas_max_pool"), 17, "patchnas_minimums");
  EXPECT_THAT([&] { CodeSizeTable::parse(text, "table"); },
              ::testing::ThrowsMessage<InputError>(::testing::HasSubstr("patchnas_max_pool")));
}

TEST(CodeSizeTable, EveryKernelHasBeenMeasuredOnEveryCore) {
  const CodeSizeTable& table = measured_code_sizes();
  for (const Core core : kCores) {
    for (const KernelFunction kernel : kKernelFunctions) {
      EXPECT_GT(table.kernel_bytes(core, kernel), 0) << to_string(core) << to_string(kernel);
    }
  }
}

}  // namespace
}  // namespace patchnas
