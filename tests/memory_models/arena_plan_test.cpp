#include "memory_models/arena_plan.h"

#include <algorithm>
#include <iostream>

#include <gtest/gtest.h>

#include "memory_models/memory_models.h"
#include "tests/memory_models/plan_checker.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

template <typename Check>
void for_random_plans(const char* stream_name, Check check) {
  RandomStream stream(3, stream_name);
  for (int round = 0; round < 80; ++round) {
    const Network network = round % 2 == 0 ? testing::random_lowered_network(stream)
                                           : testing::random_general_network(stream);
    for (const PatchSchedule& schedule : testing::all_schedules(network, stream)) {
      for (const InputMode input : {InputMode::kResident, InputMode::kStreamed}) {
        check(network, schedule, input, plan_arena(network, schedule, input));
      }
    }
  }
}

TEST(ArenaPlan, IsSound) {
  for_random_plans("plan/sound", [](const Network& network, const PatchSchedule&, InputMode,
                                    const ArenaPlan& plan) {
    EXPECT_EQ(testing::plan_error(plan.buffers, plan.arena_bytes), "");
    EXPECT_GE(plan.buffers.size(), static_cast<std::size_t>(network.tensor_count()));
    EXPECT_EQ(plan.scratch_buffer.size(), static_cast<std::size_t>(network.layer_count()));
    EXPECT_GE(plan.arena_bytes, plan.lower_bound_bytes);
  });
}

// How often, and how far off where not: figures of docs/memory.md.
TEST(ArenaPlan, ReachesTheLowerBoundInAllButRareCases) {
  RandomStream stream(3, "plan/bound");
  int plans = 0;
  int missed = 0;
  double worst = 0.0;
  for (int round = 0; round < 1000; ++round) {
    const Network network = round % 2 == 0 ? testing::random_lowered_network(stream)
                                           : testing::random_general_network(stream);
    for (const PatchSchedule& schedule : testing::all_schedules(network, stream)) {
      const InputMode input = stream.chance(0.5) ? InputMode::kResident : InputMode::kStreamed;
      const ArenaPlan plan = plan_arena(network, schedule, input);
      ASSERT_EQ(testing::plan_error(plan.buffers, plan.arena_bytes), "");
      ++plans;
      missed += plan.arena_bytes > plan.lower_bound_bytes ? 1 : 0;
      worst = std::max(worst, static_cast<double>(plan.arena_bytes) /
                                      static_cast<double>(plan.lower_bound_bytes) -
                                  1.0);
    }
  }
  std::cout << plans << " plans of 1,000 networks, " << missed
            << " above the lower bound, by at most " << 100.0 * worst << " %\n";
  EXPECT_LE(missed, plans / 1000);
  EXPECT_LT(worst, 0.10);
}

// Every tensor's buffer is large enough for each tile's window and is live from the layer that
// fills it to the last that reads it, in every tile.
TEST(ArenaPlan, BuffersHoldTheirTensorsWhileTheyAreNeeded) {
  for_random_plans("plan/hold", [](const Network& network, const PatchSchedule& schedule, InputMode,
                                   const ArenaPlan& plan) {
    const std::vector<SegmentGeometry> segments = segment_geometries(network, schedule);
    for (int layer = 0; layer < network.layer_count(); ++layer) {
      const auto buffer_of = [&](TensorId tensor) { return plan.tensor(tensor); };
      const Layer& l = network.layers[static_cast<std::size_t>(layer)];
      EXPECT_TRUE(buffer_of(layer + 1).live_at(layer));
      for (int j = 0; j < l.input_count(); ++j) {
        EXPECT_TRUE(buffer_of(l.inputs[static_cast<std::size_t>(j)]).live_at(layer));
      }
      for (const SegmentGeometry& segment : segments) {
        if (layer < segment.segment().first_layer || layer >= segment.segment().end_layer) {
          continue;
        }
        for (int row = 0; row < segment.grid().rows; ++row) {
          for (int col = 0; col < segment.grid().cols; ++col) {
            EXPECT_GE(buffer_of(layer + 1).size_bytes,
                      segment.tile(layer, row, col).window.pixels() * l.output.channels);
          }
        }
        if (segment.materialised(layer + 1)) {
          EXPECT_LE(buffer_of(layer + 1).first_layer, segment.segment().first_layer);
          EXPECT_GE(buffer_of(layer + 1).last_layer, segment.segment().end_layer - 1);
        }
      }
    }
  });
}

// A tensor is written over another only where one layer turns that into this and nothing reads it
// later.
TEST(ArenaPlan, OnlyDyingInputsAreOverwritten) {
  int overwritten = 0;
  for_random_plans("plan/in_place", [&](const Network& network, const PatchSchedule&, InputMode,
                                        const ArenaPlan& plan) {
    const std::vector<int> last = last_readers(network);
    for (int layer = 0; layer < network.layer_count(); ++layer) {
      const TensorId under = plan.tensor(layer + 1).overwrites;
      if (under == kNoBuffer) {
        continue;
      }
      EXPECT_NE(under, kImage);
      EXPECT_EQ(last[static_cast<std::size_t>(under)], layer);
      EXPECT_GE(plan.in_place_input(network, layer), 0);
      EXPECT_EQ(plan.tensor(under).last_layer, layer);
      EXPECT_EQ(plan.tensor(layer + 1).first_layer, layer);
      ++overwritten;
    }
  });
  EXPECT_GT(overwritten, 0);
}

TEST(MemoryReport, LayersExplainThePeak) {
  for_random_plans("plan/report", [](const Network& network, const PatchSchedule& schedule,
                                     InputMode input, const ArenaPlan& plan) {
    const MemoryReport deployed = memory_report(network, schedule, MemoryModel::kDeployed, input);
    EXPECT_EQ(deployed.peak_sram_bytes, plan.arena_bytes);
    EXPECT_LE(*std::max_element(deployed.layer_bytes.begin(), deployed.layer_bytes.end()),
              plan.lower_bound_bytes);
    const MemoryReport paper = memory_report(network, schedule, MemoryModel::kMcunetV2, input);
    EXPECT_EQ(*std::max_element(paper.layer_bytes.begin(), paper.layer_bytes.end()),
              paper.peak_sram_bytes);
    EXPECT_EQ(paper.layer_bytes[static_cast<std::size_t>(paper.peak_layer)], paper.peak_sram_bytes);
  });
}

TEST(MemoryReport, StreamingNeverCostsMore) {
  RandomStream stream(3, "plan/streaming");
  for (int round = 0; round < 60; ++round) {
    const Network network = testing::random_lowered_network(stream);
    for (const PatchSchedule& schedule : testing::all_schedules(network, stream)) {
      EXPECT_LE(plan_arena(network, schedule, InputMode::kStreamed).lower_bound_bytes,
                plan_arena(network, schedule, InputMode::kResident).lower_bound_bytes);
    }
  }
}

}  // namespace
}  // namespace patchnas
