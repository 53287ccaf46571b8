#include "arch/execution_plan.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/scratch.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

template <typename Check>
void for_random_plans(const char* stream_name, Check check) {
  RandomStream stream(5, stream_name);
  for (int round = 0; round < 80; ++round) {
    const Network network = testing::random_network(stream);
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
        const TileGrid grid = loop.grid();
        EXPECT_EQ(tiles(loop).size(), static_cast<std::size_t>(grid.rows * grid.cols));
        if (segment.halo() == HaloPolicy::kRecompute) {
          EXPECT_EQ(grid, segment.grid);
        }
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
    // What is kept of a window begins the next one.
    const auto slide = [&](TensorId tensor, const Tile& tile) {
      Held& held = memory[static_cast<std::size_t>(tensor)];
      const Rect kept = plan.kept(tensor, tile);
      ASSERT_TRUE(kept.pixels() <= 0 || held.rect.contains(kept));
      Held next{.rect = kept, .there = {}};
      for (int row = kept.rows.begin; row < kept.rows.end; ++row) {
        for (int col = kept.cols.begin; col < kept.cols.end; ++col) {
          next.there.push_back(*held.pixel(row, col));
        }
      }
      held = std::move(next);
    };
    // A window with what was kept in it.
    const auto widen = [&](TensorId tensor, const Tile& tile) {
      const Held kept = memory[static_cast<std::size_t>(tensor)];
      Held& held = memory[static_cast<std::size_t>(tensor)];
      held.rect = plan.held(tensor, tile);
      held.there.assign(static_cast<std::size_t>(std::max<std::int64_t>(0, held.rect.pixels())), 0);
      if (tile.row > 0 && !kept.there.empty()) {
        ASSERT_EQ(kept.rect.rows.begin, held.rect.rows.begin);
        std::copy(kept.there.begin(), kept.there.end(), held.there.begin());
      }
    };
    const auto slides = [](const Loop& loop, TensorId tensor) {
      return std::count(loop.slides.begin(), loop.slides.end(), tensor) > 0;
    };
    if (!plan.tensor(kImage).loop) {
      hold(kImage, {});
      fill(kImage, plan.held(kImage, {}));
    }
    for (const Loop& loop : plan.loops()) {
      for (const Tile& tile : tiles(loop)) {
        if (loop.fetches_image) {
          slides(loop, kImage) ? widen(kImage, tile) : hold(kImage, tile);
          fill(kImage, plan.fetched(tile));
        }
        for (int i = loop.first_step; i < loop.end_step; ++i) {
          const Step& step = plan.step(i);
          for (int j = 0; j < step.input_count(); ++j) {
            const TensorId input = step.inputs[static_cast<std::size_t>(j)];
            EXPECT_GE(i, plan.tensor(input).first_step);
            EXPECT_LE(i, plan.tensor(input).last_step);
            ASSERT_TRUE(is_there(input, plan.read(i, j, tile)));
          }
          slides(loop, step.output) ? widen(step.output, tile) : hold(step.output, tile);
          fill(step.output, plan.computed(i, tile));
          EXPECT_TRUE(step.runs || i < network.input_count() - 1 ||
                      plan.computed(i, tile).pixels() == 0);
          EXPECT_TRUE(step.adds_up || !step.runs ||
                      plan.runs(i, tile) == (plan.computed(i, tile).pixels() > 0));
        }
        for (const TensorId tensor : loop.slides) {
          slide(tensor, tile);
        }
      }
    }
    const TensorId output = network.layer_count();
    EXPECT_TRUE(is_there(output, full_rect(network.shape(output))));
  });
}

// Rows that are cached: of one strip, each is computed once; of every strip, once in it.
TEST(ExecutionPlan, CachedRowsAreComputedAndFetchedOnce) {
  int loops = 0;
  for_random_plans("plan/once", [&](const Network& network, const PatchSchedule&,
                                    const ExecutionPlan& plan) {
    for (const Loop& loop : plan.loops()) {
      if (!loop.caches_rows()) {
        continue;
      }
      ++loops;
      std::vector<int> next(static_cast<std::size_t>(network.tensor_count()), 0);
      for (const Tile& tile : tiles(loop)) {
        if (tile.row == 0) {
          std::fill(next.begin(), next.end(), 0);
        }
        const auto advance = [&](TensorId tensor, const Interval& rows) {
          int& row = next[static_cast<std::size_t>(tensor)];
          EXPECT_TRUE(rows.empty() || rows.begin == row);
          row = rows.empty() ? row : rows.end;
        };
        for (int i = loop.first_step; i < loop.end_step; ++i) {
          advance(plan.step(i).output,
                  loop.geometry->span(Axis::kRows, plan.step(i).first_layer, tile.row).computed);
        }
        if (loop.fetches_image) {
          advance(kImage, plan.fetched(tile).rows);
        }
      }
      EXPECT_EQ(next[static_cast<std::size_t>(loop.geometry->segment().first_layer + 1)],
                network.shape(loop.geometry->segment().first_layer + 1).height);
      EXPECT_EQ(next[static_cast<std::size_t>(loop.geometry->segment().end_layer)],
                network.shape(loop.geometry->segment().end_layer).height);
    }
  });
  EXPECT_GT(loops, 100);
}

// patchnas_pointwise()'s condition, of the windows of every tile.
void expect_far_enough_in_front(const Network& network, const ExecutionPlan& plan, int index) {
  const Step& step = plan.step(index);
  const std::int64_t in = network.shape(step.inputs[0]).channels;
  const std::int64_t out = network.shape(step.output).channels;
  for (const Tile& tile : tiles(plan.loop_of(index))) {
    const Rect rect = plan.computed(index, tile);
    if (rect.pixels() == 0) {
      continue;
    }
    EXPECT_EQ(plan.held(step.output, tile), rect);
    EXPECT_EQ(plan.held(step.inputs[0], tile), rect);
    for (std::int64_t i = 0; i < rect.pixels(); ++i) {
      const std::int64_t end = std::min(i + PATCHNAS_POINTWISE_GROUP, rect.pixels()) * out;
      EXPECT_LE(step.overlap.distance_bytes + end, i * in);
    }
  }
}

TEST(ExecutionPlan, OnlyWhatNothingReadsLaterIsWrittenOver) {
  int over_input = 0;
  int over_image = 0;
  for_random_plans("plan/over", [&](const Network& network, const PatchSchedule&,
                                    const ExecutionPlan& plan) {
    for (int i = 0; i < static_cast<int>(plan.steps().size()); ++i) {
      const Step& step = plan.step(i);
      const Loop& loop = plan.loop_of(i);
      if (step.dying_input < 0) {
        EXPECT_EQ(step.scratch_bytes > 0,
                  step.adds_up || step.kernel == KernelFunction::kDepthwise);
        if (step.overlap.tensor == kNoTensor) {
          continue;
        }
        EXPECT_TRUE(step.overlap.may_lie_apart);
        const bool reads_segment =
            loop.geometry && step.overlap.tensor == loop.geometry->segment().first_layer;
        if (step.kernel == KernelFunction::kPointwise && !reads_segment) {
          EXPECT_EQ(step.overlap.tensor, step.inputs[0]);
          EXPECT_NE(step.overlap.tensor, kImage);
          EXPECT_EQ(last_readers(network)[static_cast<std::size_t>(step.overlap.tensor)],
                    step.first_layer);
          EXPECT_EQ(plan.tensor(step.overlap.tensor).last_step, i);
          EXPECT_EQ(plan.tensor(step.output).first_step, i);
          expect_far_enough_in_front(network, plan, i);
          ++over_input;
        } else {
          EXPECT_EQ(i + 1, loop.end_step);
          EXPECT_EQ(step.overlap.tensor, loop.geometry->segment().first_layer);
          EXPECT_EQ(plan.tensor(step.overlap.tensor).last_step, i);
          EXPECT_LE(step.overlap.distance_bytes, 0);
          over_image += step.overlap.tensor == kImage ? 1 : 0;
          EXPECT_TRUE(step.overlap.tensor != kImage ||
                      (plan.input() == InputMode::kResident && loop.caches_rows()));
        }
        continue;
      }
      EXPECT_EQ(step.overlap.tensor, step.inputs[static_cast<std::size_t>(step.dying_input)]);
      const TensorId under = step.inputs[static_cast<std::size_t>(step.dying_input)];
      EXPECT_NE(under, kImage);
      EXPECT_EQ(last_readers(network)[static_cast<std::size_t>(under)], step.first_layer);
      EXPECT_TRUE(loop.caches_rows() || plan.tensor(under).last_step == i);
      EXPECT_EQ(plan.tensor(under).loop, plan.tensor(step.output).loop);
      for (int later = i + 1; later < static_cast<int>(plan.steps().size()); ++later) {
        EXPECT_EQ(std::count(plan.step(later).inputs.begin(), plan.step(later).inputs.end(), under),
                  0);
      }
      EXPECT_EQ(step.kernel == KernelFunction::kDepthwise, step.scratch_bytes > 0);
      EXPECT_EQ(network.shape(step.output).channels, plan.tensor(step.output).shape.channels);
    }
  });
  EXPECT_GT(over_input, 100);
  EXPECT_GT(over_image, 100);
}

}  // namespace
}  // namespace patchnas
