#include "deploy/reference/arena_executor.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "arch/join_parts.h"
#include "deploy/reference/reference_executor.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

constexpr std::size_t kGuardBytes = 64;
constexpr std::int8_t kGuard = 0x33;

// Runs inside an arena of exactly the planned size, with garbage in it and guards on both sides.
std::vector<std::int8_t> run_guarded(const ArenaExecutor& executor, const ImageSource& image,
                                     RandomStream& stream) {
  std::vector<std::int8_t> memory = testing::random_bytes(executor.plan().arena_bytes, stream);
  memory.insert(memory.begin(), kGuardBytes, kGuard);
  memory.insert(memory.end(), kGuardBytes, kGuard);
  const std::span<std::int8_t> all(memory);
  const auto output = executor.run(image, all.subspan(kGuardBytes, memory.size() - 2 * kGuardBytes),
                                   DeadBytes::kPoison);
  const auto intact = [](std::span<const std::int8_t> guard) {
    return std::all_of(guard.begin(), guard.end(), [](std::int8_t byte) { return byte == kGuard; });
  };
  EXPECT_TRUE(intact(all.first(kGuardBytes)) && intact(all.last(kGuardBytes)))
      << "wrote outside the arena";
  return output;
}

TEST(ArenaExecutor, EverySchedulesOutputEqualsLayerByLayer) {
  RandomStream stream(21, "arena executor");
  int distinct_outputs = 0;
  for (int i = 0; i < 60; ++i) {
    const QuantizedNetwork network = testing::random_quantised_network(stream);
    const std::vector<std::int8_t> image =
        testing::random_bytes(network.network.input.elements(), stream);
    const std::vector<std::int8_t> expected = run_layer_by_layer(network, image);
    distinct_outputs += std::set(expected.begin(), expected.end()).size() > 1 ? 1 : 0;
    for (const PatchSchedule& schedule : testing::all_schedules(network.network, stream)) {
      for (const InputMode mode : {InputMode::kResident, InputMode::kStreamed}) {
        const ArenaExecutor executor(network, schedule, mode);
        const auto output =
            run_guarded(executor, image_source(image, network.network.input), stream);
        ASSERT_EQ(output, expected) << "network " << i << ", schedule " << to_json(schedule) << ", "
                                    << (mode == InputMode::kResident ? "resident" : "streamed");
      }
    }
  }
  EXPECT_GE(distinct_outputs, 45) << "the networks' outputs say too little";
}

TEST(ArenaExecutor, SeveralSegmentsGiveTheSameOutput) {
  RandomStream stream(22, "segments");
  int runs = 0;
  for (int i = 0; i < 60; ++i) {
    const QuantizedNetwork network = testing::random_quantised_network(stream);
    const Network& shapes = network.network;
    const std::vector<std::int8_t> image = testing::random_bytes(shapes.input.elements(), stream);
    PatchSchedule schedule;
    for (int layer = 0; layer < shapes.layer_count();) {
      if (!fits_segments(shapes.layers[static_cast<std::size_t>(layer)])) {
        ++layer;
        continue;
      }
      int end = layer + 1;
      for (int more = static_cast<int>(stream.below(4));
           more > 0 && end < shapes.layer_count() &&
           fits_segments(shapes.layers[static_cast<std::size_t>(end)]);
           --more) {
        ++end;
      }
      const TensorShape& out = shapes.shape(end);
      schedule.segments.push_back(
          Segment::patches(layer, end, {std::min(2, out.height), std::min(3, out.width)}));
      layer = end;
    }
    for (const InputMode mode : {InputMode::kResident, InputMode::kStreamed}) {
      const ArenaExecutor executor(network, schedule, mode);
      const auto output = run_guarded(executor, image_source(image, shapes.input), stream);
      ASSERT_EQ(output, run_layer_by_layer(network, image))
          << "network " << i << ", " << to_json(schedule);
      ++runs;
    }
  }
  EXPECT_EQ(runs, 120);
}

TEST(ArenaExecutor, StreamedTilesAskForNoMoreThanTheyRead) {
  RandomStream stream(23, "streamed");
  Network network{.input = {16, 16, 3}, .layers = {}, .names = {}};
  network.layers.push_back({.output = {16, 16, 4}, .kernel = {3, 3, 1, 1, 1, 1}});
  network.layers.push_back(
      {.inputs = {1, kNoTensor}, .output = {1, 1, 4}, .kernel = {16, 16, 1, 1, 0, 0}});
  const QuantizedNetwork quantised = testing::random_quantised(network, stream);
  const std::vector<std::int8_t> image = testing::random_bytes(network.input.elements(), stream);
  const ImageSource whole = image_source(image, network.input);
  std::vector<Rect> asked;
  const ImageSource recording = [&](const Rect& rect, std::span<std::int8_t> destination) {
    asked.push_back(rect);
    whole(rect, destination);
  };
  const ArenaExecutor executor(quantised, PatchSchedule::leading({2, 2}, 1), InputMode::kStreamed);
  run_guarded(executor, recording, stream);
  const std::vector<Rect> expected{
      {{0, 9}, {0, 9}}, {{0, 9}, {7, 16}}, {{7, 16}, {0, 9}}, {{7, 16}, {7, 16}}};
  EXPECT_EQ(asked, expected);
}

// Scratch has room for what windows touch, which strides may leave the last rows and columns out
// of.
TEST(ArenaExecutor, StridesThatLeaveRowsUnreadStayInTheirScratch) {
  RandomStream stream(25, "strides");
  for (int extent = 6; extent < 30; ++extent) {
    Network network{.input = {extent, extent, 2}, .layers = {}, .names = {}};
    network.layers.push_back({.output = {extent, extent, 3}, .kernel = {}});
    const int outputs = (extent - 2) / 3 - (extent > 8 ? 1 : 0);
    network.layers.push_back({.kind = LayerKind::kDepthwiseConv2d,
                              .inputs = {1, kNoTensor},
                              .output = {outputs, outputs, 3},
                              .kernel = {2, 2, 3, 3, 0, 0}});
    const QuantizedNetwork quantised = testing::random_quantised(network, stream);
    const auto image = testing::random_bytes(network.input.elements(), stream);
    const ArenaExecutor executor(quantised, {}, InputMode::kStreamed);
    EXPECT_EQ(run_guarded(executor, image_source(image, network.input), stream),
              run_layer_by_layer(quantised, image));
  }
}

// Further inputs, and outputs in the middle of the network.
TEST(ArenaExecutor, SeveralInputsAndOutputs) {
  RandomStream stream(26, "ends");
  int several_inputs = 0;
  int several_outputs = 0;
  for (int i = 0; i < 200; ++i) {
    const Network graph = testing::random_graph(stream);
    const QuantizedNetwork network =
        testing::random_quantised(i % 2 == 0 ? graph : with_joined_parts(graph), stream);
    const Network& shapes = network.network;
    several_inputs += shapes.input_count() > 1 ? 1 : 0;
    several_outputs += shapes.outputs.size() > 1 ? 1 : 0;
    const auto inputs = testing::random_bytes(shapes.input_elements(), stream);
    const auto image = std::span(inputs).first(static_cast<std::size_t>(shapes.input.elements()));
    const auto expected = run_layer_by_layer(network, inputs);
    EXPECT_EQ(static_cast<std::int64_t>(expected.size()), shapes.output_elements());
    for (const InputMode mode : kInputModes) {
      const PatchSchedule schedule = testing::random_schedule(shapes, stream);
      const ArenaExecutor executor(network, schedule, mode);
      std::vector<std::int8_t> arena(static_cast<std::size_t>(executor.plan().arena_bytes));
      ASSERT_EQ(executor.run(image_source(image, shapes.input), arena, DeadBytes::kPoison,
                             std::span(inputs).subspan(image.size())),
                expected)
          << "network " << i << ", " << to_json(schedule);
    }
  }
  EXPECT_GT(several_inputs, 10);
  EXPECT_GT(several_outputs, 30);
}

TEST(ArenaExecutor, RefusesAnArenaThatIsTooSmall) {
  RandomStream stream(24, "small arena");
  const QuantizedNetwork network = testing::random_quantised_network(stream);
  const std::vector<std::int8_t> image =
      testing::random_bytes(network.network.input.elements(), stream);
  const ArenaExecutor executor(network, PatchSchedule::layer_by_layer(), InputMode::kResident);
  std::vector<std::int8_t> arena(static_cast<std::size_t>(executor.plan().arena_bytes) - 1);
  EXPECT_THROW(executor.run(image_source(image, network.network.input), arena), InputError);
}

}  // namespace
}  // namespace patchnas
