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
    const Network network = testing::random_network(stream);
    for (const PatchSchedule& schedule : testing::all_schedules(network, stream)) {
      for (const InputMode input : {InputMode::kResident, InputMode::kStreamed}) {
        const ExecutionPlan plan(network, schedule, input);
        check(network, plan, plan_arena(plan));
      }
    }
  }
}

TEST(ArenaPlan, IsSound) {
  for_random_plans(
      "plan/sound", [](const Network& network, const ExecutionPlan& plan, const ArenaPlan& arena) {
        EXPECT_EQ(testing::plan_error(arena.buffers, arena.arena_bytes), "");
        EXPECT_GE(arena.buffers.size(), static_cast<std::size_t>(network.tensor_count()));
        EXPECT_EQ(arena.scratch_buffer.size(), plan.steps().size());
        EXPECT_GE(arena.arena_bytes, arena.lower_bound_bytes);
      });
}

// How often, and how far off where not: figures of docs/memory.md.
struct Tally {
  int plans = 0;
  int missed = 0;
  double worst = 0.0;
};

struct Tallies {
  Tally others;
  Tally consuming;  // with a segment written over its input, for which the bound knows no place
  Tally in_front;   // with pointwise layers in front of their input, which may exclude each other
};

// Of 1,000 networks: make(round, stream) makes one.
template <typename Make>
Tallies compare_with_bound(const std::string& name, const Make& make) {
  RandomStream stream(3, name);
  Tallies tallies;
  auto& [others, consuming, in_front] = tallies;
  for (int round = 0; round < 1000; ++round) {
    const Network network = make(round, stream);
    for (const PatchSchedule& schedule : testing::all_schedules(network, stream)) {
      const InputMode input = stream.chance(0.5) ? InputMode::kResident : InputMode::kStreamed;
      const ExecutionPlan execution(network, schedule, input);
      const ArenaPlan plan = plan_arena(execution);
      EXPECT_EQ(testing::plan_error(plan.buffers, plan.arena_bytes), "");
      const bool consumes = std::any_of(plan.buffers.begin(), plan.buffers.end(),
                                        [](const ArenaBuffer& b) { return b.may_lie_apart; });
      const bool has_pointwise =
          std::any_of(execution.steps().begin(), execution.steps().end(), [](const Step& step) {
            return step.kernel == KernelFunction::kPointwise && step.overlap.may_lie_apart;
          });
      Tally& tally = has_pointwise ? in_front : consumes ? consuming : others;
      ++tally.plans;
      tally.missed += plan.arena_bytes > plan.lower_bound_bytes ? 1 : 0;
      tally.worst = std::max(tally.worst, static_cast<double>(plan.arena_bytes) /
                                                  static_cast<double>(plan.lower_bound_bytes) -
                                              1.0);
    }
  }
  for (const Tally& tally : {others, consuming, in_front}) {
    std::cout << tally.plans << " plans of 1,000 networks, " << tally.missed
              << " above the lower bound, by at most " << 100.0 * tally.worst << " %\n";
  }
  return tallies;
}

TEST(ArenaPlan, ReachesTheLowerBoundInAllButRareCases) {
  const auto [others, consuming, in_front] =
      compare_with_bound("plan/bound", [](int round, RandomStream& stream) {
        return round % 2 == 0 ? testing::random_lowered_network(stream)
                              : testing::random_general_network(stream);
      });
  EXPECT_LE(others.missed, others.plans / 1000);
  EXPECT_LT(others.worst, 0.10);
  EXPECT_LE(consuming.missed, consuming.plans / 80);
  EXPECT_LT(consuming.worst, 0.20);
  EXPECT_LE(in_front.missed, in_front.plans / 10);
  EXPECT_LT(in_front.worst, 0.40);  // a few hundred bytes
}

TEST(ArenaPlan, OfGraphsReachesTheLowerBoundInAllButRareCases) {
  const auto [others, consuming, in_front] = compare_with_bound(
      "plan/graphs", [](int, RandomStream& stream) { return testing::random_graph(stream); });
  EXPECT_LE(others.missed, others.plans / 1000);
  EXPECT_LT(others.worst, 0.15);
  EXPECT_LE(consuming.missed, consuming.plans / 50);
  EXPECT_LT(consuming.worst, 0.30);
  EXPECT_LE(in_front.missed, in_front.plans / 40);
  EXPECT_LT(in_front.worst, 0.25);
}

// Every tensor's buffer is large enough for each tile's window and is live from the step that fills
// it to the last that reads it, in every tile.
TEST(ArenaPlan, BuffersHoldTheirTensorsWhileTheyAreNeeded) {
  for_random_plans(
      "plan/hold", [](const Network& network, const ExecutionPlan& plan, const ArenaPlan& arena) {
        for (const Loop& loop : plan.loops()) {
          for (int i = loop.first_step; i < loop.end_step; ++i) {
            const Step& step = plan.step(i);
            EXPECT_TRUE(arena.tensor(step.output).live_at(i));
            for (int j = 0; j < step.input_count(); ++j) {
              EXPECT_TRUE(arena.tensor(step.inputs[static_cast<std::size_t>(j)]).live_at(i));
            }
            const ArenaBuffer& output = arena.tensor(step.output);
            for (const Tile& tile : tiles(loop)) {
              EXPECT_GE(output.size_bytes, plan.held(step.output, tile).pixels() *
                                               network.shape(step.output).channels);
            }
            if (loop.geometry && loop.geometry->materialised(step.output)) {
              EXPECT_LE(output.first_step, loop.first_step);
              EXPECT_GE(output.last_step, loop.end_step - 1);
            }
          }
        }
      });
}

// A tensor is written over another only where a step turns that into this and nothing reads it
// later, or where a loop consumes the one as it computes the other.
TEST(ArenaPlan, OnlyDyingInputsAreOverwritten) {
  int in_place = 0;
  int over_consumed = 0;
  for_random_plans("plan/in_place", [&](const Network& network, const ExecutionPlan& plan,
                                        const ArenaPlan& arena) {
    const std::vector<int> last = last_readers(network);
    for (int i = 0; i < static_cast<int>(plan.steps().size()); ++i) {
      const Step& step = plan.step(i);
      if (plan.tensor(step.output).bytes_of != step.output) {  // a later step writes on
        EXPECT_EQ(step.overlap.tensor, kNoTensor);
        EXPECT_EQ(plan.tensor(step.output).bytes, 0);
        continue;
      }
      const TensorId under = arena.tensor(step.output).overwrites;
      EXPECT_EQ(under, step.overlap.tensor == kNoTensor ? kNoBuffer : step.overlap.tensor);
      if (under == kNoBuffer) {
        continue;
      }
      EXPECT_TRUE(under != kImage || plan.input() == InputMode::kResident);
      EXPECT_LE(arena.tensor(step.output).distance_bytes, step.overlap.distance_bytes);
      const Loop& loop = plan.loop_of(i);
      if (loop.geometry && under == loop.geometry->segment().first_layer) {
        EXPECT_LT(last[static_cast<std::size_t>(under)], loop.geometry->segment().end_layer);
        ++over_consumed;
        continue;
      }
      EXPECT_EQ(last[static_cast<std::size_t>(under)], step.first_layer);
      EXPECT_EQ(arena.tensor(step.output).first_step, i);
      EXPECT_TRUE(loop.caches_rows() || arena.tensor(under).last_step == i);
      ++in_place;
    }
  });
  EXPECT_GT(in_place, 0);
  EXPECT_GT(over_consumed, 0);
}

TEST(MemoryReport, LayersExplainThePeak) {
  RandomStream stream(3, "plan/report");
  for (int round = 0; round < 80; ++round) {
    const Network network = testing::random_network(stream);
    for (const PatchSchedule& schedule : testing::all_schedules(network, stream)) {
      for (const InputMode input : kInputModes) {
        const ArenaPlan arena = plan_arena(ExecutionPlan(network, schedule, input));
        const MemoryReport deployed =
            memory_report(network, schedule, MemoryModel::kDeployed, input);
        EXPECT_EQ(deployed.peak_sram_bytes, arena.arena_bytes);
        EXPECT_EQ(deployed.layer_bytes.size(), network.layers.size());
        EXPECT_LE(*std::max_element(deployed.layer_bytes.begin(), deployed.layer_bytes.end()),
                  arena.lower_bound_bytes);
        const MemoryReport paper = memory_report(network, schedule, MemoryModel::kMcunetV2, input);
        EXPECT_EQ(*std::max_element(paper.layer_bytes.begin(), paper.layer_bytes.end()),
                  paper.peak_sram_bytes);
        EXPECT_EQ(paper.layer_bytes[static_cast<std::size_t>(paper.peak_layer)],
                  paper.peak_sram_bytes);
      }
    }
  }
}

// But for what is written over a resident image.
TEST(MemoryReport, StreamingNeverCostsMore) {
  RandomStream stream(3, "plan/streaming");
  for (int round = 0; round < 60; ++round) {
    const Network network = testing::random_lowered_network(stream);
    for (const PatchSchedule& schedule : testing::all_schedules(network, stream)) {
      ArenaPlan resident = unplaced_arena_plan({network, schedule, InputMode::kResident});
      for (ArenaBuffer& buffer : resident.buffers) {
        buffer.overwrites = buffer.overwrites == kImage ? kNoBuffer : buffer.overwrites;
      }
      EXPECT_LE(unplaced_arena_plan({network, schedule, InputMode::kStreamed}).lower_bound_bytes,
                arena_lower_bound(resident.buffers));
    }
  }
}

}  // namespace
}  // namespace patchnas
