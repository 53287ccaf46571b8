#include "arch/execution_plan.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

template <typename Check>
void for_random_plans(const char* stream_name, Check check) {
  RandomStream stream(5, stream_name);
  for (int round = 0; round < 80; ++round) {
    const Network network = round % 2 == 0 ? testing::random_lowered_network(stream)
                                           : testing::random_general_network(stream);
    for (const PatchSchedule& schedule : testing::all_schedules(network, stream)) {
      for (const InputMode input : kInputModes) {
        check(network, schedule, ExecutionPlan(network, schedule, input));
      }
    }
  }
}

TEST(ExecutionPlan, EveryLayerIsOneStepsInOrder) {
  for_random_plans("plan/steps", [](const Network& network, const PatchSchedule& schedule,
                                    const ExecutionPlan& plan) {
    int layer = 0;
    int step = 0;
    std::size_t segments = 0;
    for (const Loop& loop : plan.loops()) {
      ASSERT_EQ(loop.first_step, step);
      ASSERT_LT(loop.first_step, loop.end_step);
      for (; step < loop.end_step; ++step) {
        ASSERT_EQ(plan.step(step).first_layer, layer);
        for (; layer < plan.step(step).end_layer; ++layer) {
          EXPECT_EQ(plan.step_of_layer(layer), step);
        }
        EXPECT_EQ(&plan.loop_of(step), &loop);
      }
      if (loop.geometry) {
        const Segment& segment = schedule.segments.at(segments++);
        EXPECT_EQ(loop.geometry->segment(), segment);
        EXPECT_EQ(tiles(loop).size(), static_cast<std::size_t>(segment.grid.rows) *
                                          static_cast<std::size_t>(segment.grid.cols));
      }
    }
    EXPECT_EQ(layer, network.layer_count());
    EXPECT_EQ(segments, schedule.segments.size());
  });
}

// What is read has been computed, or fetched, and not been given up; all of the output is there in
// the end.
TEST(ExecutionPlan, NothingIsReadThatIsNotThere) {
  // By tensor, what is in memory of it: one byte a pixel.
  struct Held {
    Rect rect;
    std::vector<char> there;
    [[nodiscard]] char* pixel(int row, int col) {
      return &there[static_cast<std::size_t>((row - rect.rows.begin) * rect.cols.size() + col -
                                             rect.cols.begin)];
    }
  };
  for_random_plans("plan/reads", [](const Network& network, const PatchSchedule&,
                                    const ExecutionPlan& plan) {
    std::vector<Held> memory(static_cast<std::size_t>(network.tensor_count()));
    const auto hold = [&](TensorId tensor, const Tile& tile) {
      Held& held = memory[static_cast<std::size_t>(tensor)];
      if (const Rect rect = plan.held(tensor, tile);
          held.rect != rect || plan.tensor(tensor).loop) {
        held = {.rect = rect, .there = std::vector<char>(static_cast<std::size_t>(rect.pixels()))};
      }
    };
    const auto fill = [&](TensorId tensor, const Rect& rect) {
      Held& held = memory[static_cast<std::size_t>(tensor)];
      ASSERT_TRUE(held.rect.contains(rect));
      for (int row = rect.rows.begin; row < rect.rows.end; ++row) {
        for (int col = rect.cols.begin; col < rect.cols.end; ++col) {
          *held.pixel(row, col) = 1;
        }
      }
    };
    const auto is_there = [&](TensorId tensor, const Rect& rect) {
      Held& held = memory[static_cast<std::size_t>(tensor)];
      if (rect.pixels() == 0) {
        return true;
      }
      bool all = held.rect.contains(rect);
      for (int row = rect.rows.begin; all && row < rect.rows.end; ++row) {
        for (int col = rect.cols.begin; all && col < rect.cols.end; ++col) {
          all = *held.pixel(row, col) != 0;
        }
      }
      return all;
    };
    const auto fetch = [&](const Tile& tile) {
      hold(kImage, tile);
      fill(kImage, plan.held(kImage, tile));
    };
    if (!plan.tensor(kImage).loop) {
      fetch({});
    }
    for (const Loop& loop : plan.loops()) {
      for (const Tile& tile : tiles(loop)) {
        if (loop.fetches_image) {
          fetch(tile);
        }
        for (int i = loop.first_step; i < loop.end_step; ++i) {
          const Step& step = plan.step(i);
          for (int j = 0; j < step.input_count(); ++j) {
            const TensorId input = step.inputs[static_cast<std::size_t>(j)];
            EXPECT_GE(i, plan.tensor(input).first_step);
            EXPECT_LE(i, plan.tensor(input).last_step);
            ASSERT_TRUE(is_there(input, plan.read(i, j, tile)));
          }
          hold(step.output, tile);
          fill(step.output, plan.computed(i, tile));
          EXPECT_EQ(step.runs || plan.computed(i, tile).pixels() == 0, true);
        }
      }
    }
    const TensorId output = network.layer_count();
    EXPECT_TRUE(is_there(output, full_rect(network.shape(output))));
  });
}

TEST(ExecutionPlan, OnlyWhatNothingReadsLaterIsWrittenOver) {
  for_random_plans("plan/over", [](const Network& network, const PatchSchedule&,
                                   const ExecutionPlan& plan) {
    for (int i = 0; i < static_cast<int>(plan.steps().size()); ++i) {
      const Step& step = plan.step(i);
      EXPECT_TRUE(step.overlap.input == -1 || step.overlap.input == step.dying_input);
      if (step.dying_input < 0) {
        EXPECT_EQ(step.scratch_bytes, 0);
        continue;
      }
      const TensorId under = step.inputs[static_cast<std::size_t>(step.dying_input)];
      EXPECT_NE(under, kImage);
      EXPECT_EQ(plan.tensor(under).last_step, i);
      EXPECT_EQ(plan.tensor(under).loop, plan.tensor(step.output).loop);
      for (int later = i + 1; later < static_cast<int>(plan.steps().size()); ++later) {
        EXPECT_EQ(std::count(plan.step(later).inputs.begin(), plan.step(later).inputs.end(), under),
                  0);
      }
      const std::int64_t saved = std::min(plan.tensor(under).bytes, plan.tensor(step.output).bytes);
      if (step.overlap.input >= 0) {
        EXPECT_LT(step.scratch_bytes, saved);
      }
      EXPECT_EQ(step.kernel == KernelFunction::kDepthwiseInPlace, step.scratch_bytes > 0);
      EXPECT_EQ(network.shape(step.output).channels, plan.tensor(step.output).shape.channels);
    }
  });
}

}  // namespace
}  // namespace patchnas
