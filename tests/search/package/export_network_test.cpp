#include "search/package/export_network.h"

#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

ImageSet random_images(const TensorShape& shape, int classes, int count, RandomStream& stream) {
  ImageSet images;
  images.height = shape.height;
  images.width = shape.width;
  images.channels = shape.channels;
  images.classes = classes;
  for (int i = 0; i < count; ++i) {
    images.labels.push_back(
        static_cast<std::int32_t>(stream.below(static_cast<std::uint64_t>(classes))));
    for (std::int64_t j = 0; j < shape.elements(); ++j) {
      images.pixels.push_back(static_cast<std::uint8_t>(stream.below(256)));
    }
  }
  return images;
}

TEST(CheckSchedule, EveryScheduleGivesTheAnswersInTheReportedArena) {
  RandomStream stream(41, "export_network/schedules");
  for (int round = 0; round < 10; ++round) {
    const QuantizedNetwork network =
        testing::random_quantised(testing::random_lowered_network(stream), stream);
    const int classes = network.network.output().channels;
    const ImageSet images = random_images(network.network.input, classes, 3, stream);
    const Int8Answers answers = run_int8(network, images);
    for (const PatchSchedule& schedule : testing::all_schedules(network.network, stream)) {
      const ArenaCheck check =
          check_schedule(network, schedule, InputMode::kStreamed, images, answers, 2);
      EXPECT_EQ(check.images, 2);
      EXPECT_EQ(
          check.arena_bytes,
          plan_arena(ExecutionPlan(network.network, schedule, InputMode::kStreamed)).arena_bytes);
    }
  }
}

TEST(CheckSchedule, OneOtherLogitStopsTheExport) {
  RandomStream stream(41, "export_network/difference");
  const QuantizedNetwork network =
      testing::random_quantised(testing::random_lowered_network(stream), stream);
  const ImageSet images =
      random_images(network.network.input, network.network.output().channels, 3, stream);
  Int8Answers answers = run_int8(network, images);
  answers.logits.back() = static_cast<std::int8_t>(answers.logits.back() ^ 1);
  const PatchSchedule schedule = PatchSchedule::layer_by_layer();
  EXPECT_NO_THROW(check_schedule(network, schedule, InputMode::kResident, images, answers, 2));
  EXPECT_THROW(check_schedule(network, schedule, InputMode::kResident, images, answers, 3), Error);
}

}  // namespace
}  // namespace patchnas
