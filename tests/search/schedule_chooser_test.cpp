#include "search/schedule_chooser.h"

#include <limits>
#include <optional>
#include <tuple>

#include <gtest/gtest.h>

#include "arch/arch.h"
#include "search/schedule_tradeoff.h"
#include "support/random_networks.h"

namespace patchnas {
namespace {

const std::vector<TileGrid> kGrids{{1, 1}, {1, 2}, {2, 2}, {3, 3}, {4, 2}};

// Fewer operators cost less, whatever they compute: not at all what MACs say.
class OperatorCount : public CostModel {
 public:
  [[nodiscard]] double cost(const OperatorKey& /*key*/) const override { return 1.0; }
  [[nodiscard]] std::string_view unit() const override { return "operators"; }
};

// By definition: every schedule's costs, one at a time.
struct Definition {
  std::optional<CandidateCosts> cheapest;  // of those that fit
  std::int64_t least_sram = std::numeric_limits<std::int64_t>::max();
};

Definition look_at_all(const Network& network, const Target& target, const CostModel& model) {
  Definition found;
  std::tuple<double, std::int64_t> least;
  for (const PatchSchedule& schedule : enumerate_schedules(network, kGrids, SplitPoints::kLayers)) {
    const CandidateCosts costs = costs_of(network, schedule, target);
    found.least_sram = std::min(found.least_sram, costs.sram_bytes);
    const std::tuple cost{latency_report(network, schedule, model).total, costs.sram_bytes};
    if (costs.sram_bytes <= target.sram_bytes && costs.flash_bytes <= target.flash_bytes &&
        (!found.cheapest || cost < least)) {
      found.cheapest = costs;
      least = cost;
    }
  }
  return found;
}

void expect_the_best(const CostModel& model, MemoryModel memory_model, const char* stream_name) {
  RandomStream stream(11, stream_name);
  int with_patches = 0;
  int infeasible = 0;
  for (int i = 0; i < 60; ++i) {
    const Network network = i % 2 == 0 ? testing::random_lowered_network(stream)
                                       : testing::random_general_network(stream);
    Target target{.sram_bytes = 300 + static_cast<std::int64_t>(stream.below(2500)),
                  .flash_bytes = kNoLimit,
                  .memory_model = memory_model,
                  .input = stream.chance(0.5) ? InputMode::kResident : InputMode::kStreamed};
    if (stream.chance(0.2)) {
      target.flash_bytes =
          flash_report(network, PatchSchedule::layer_by_layer(), target.core).total_bytes() + 64;
    }
    ScheduleChooser chooser(kGrids, SplitPoints::kLayers, target, model);
    const ScheduleChoice choice = chooser.choose(network);
    const Definition expected = look_at_all(network, target, model);
    ASSERT_EQ(choice.fits, expected.cheapest.has_value());
    EXPECT_EQ(choice.costs, costs_of(network, choice.schedule, target));
    if (expected.cheapest) {
      EXPECT_EQ(latency_report(network, choice.schedule, model).total, [&] {
        double least = std::numeric_limits<double>::infinity();
        for (const ScheduleChoice& other : chooser.all(network)) {
          if (other.fits) {
            least = std::min(least, latency_report(network, other.schedule, model).total);
          }
        }
        return least;
      }());
      EXPECT_EQ(choice.costs.sram_bytes, expected.cheapest->sram_bytes);
      with_patches += choice.schedule.segments.empty() ? 0 : 1;
    } else {
      EXPECT_EQ(choice.costs.sram_bytes, expected.least_sram);
      ++infeasible;
    }
  }
  EXPECT_GT(with_patches, 0);
  EXPECT_GT(infeasible, 3);
}

TEST(ScheduleChooser, TakesTheFittingScheduleOfLeastMacs) {
  expect_the_best(MacCost(), MemoryModel::kDeployed, "chooser/deployed");
  expect_the_best(MacCost(), MemoryModel::kMcunetV2, "chooser/mcunetv2");
  expect_the_best(MacCost(), MemoryModel::kTflm, "chooser/tflm");
}

TEST(ScheduleChooser, TakesTheFittingScheduleOfLeastLatency) {
  expect_the_best(OperatorCount(), MemoryModel::kDeployed, "chooser/latency");
}

TEST(ScheduleChooser, ListsEverySchedule) {
  RandomStream stream(11, "chooser/all");
  const Target target{.sram_bytes = 2000, .flash_bytes = kNoLimit};
  const MacCost model;
  ScheduleChooser chooser(kGrids, SplitPoints::kLayers, target, model);
  for (int i = 0; i < 20; ++i) {
    const Network network = testing::random_lowered_network(stream);
    const std::vector<PatchSchedule> schedules =
        enumerate_schedules(network, kGrids, SplitPoints::kLayers);
    const std::vector<ScheduleChoice> all = chooser.all(network);
    ASSERT_EQ(all.size(), schedules.size());
    for (std::size_t s = 0; s < all.size(); ++s) {
      EXPECT_EQ(all[s].schedule, schedules[s]);
      EXPECT_EQ(all[s].costs, costs_of(network, schedules[s], target));
      EXPECT_EQ(all[s].fits, all[s].costs.sram_bytes <= 2000);
    }
  }
}

TEST(ParetoFront, HoldsExactlyWhatNothingBeats) {
  RandomStream stream(11, "pareto");
  for (int round = 0; round < 100; ++round) {
    std::vector<ScheduleChoice> choices;
    for (int i = 0; i < 12; ++i) {
      ScheduleChoice choice;
      choice.costs.sram_bytes = static_cast<std::int64_t>(stream.below(8));
      choice.costs.macs = static_cast<std::int64_t>(stream.below(8));
      choices.push_back(choice);
    }
    const std::vector<ScheduleChoice> front = pareto_front(choices);
    for (std::size_t i = 1; i < front.size(); ++i) {
      EXPECT_LT(front[i].costs.sram_bytes, front[i - 1].costs.sram_bytes);
      EXPECT_GT(front[i].costs.macs, front[i - 1].costs.macs);
    }
    for (const ScheduleChoice& choice : choices) {
      const auto covers = [&](const ScheduleChoice& kept) {
        return kept.costs.sram_bytes <= choice.costs.sram_bytes &&
               kept.costs.macs <= choice.costs.macs;
      };
      EXPECT_TRUE(std::any_of(front.begin(), front.end(), covers));
    }
  }
}

}  // namespace
}  // namespace patchnas
