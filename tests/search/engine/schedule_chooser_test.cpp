#include "search/engine/schedule_chooser.h"

#include <limits>
#include <optional>
#include <tuple>

#include <gtest/gtest.h>

#include "arch/arch.h"
#include "search/report/schedule_tradeoff.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

const std::vector<TileGrid> kGrids{{1, 1}, {1, 2}, {2, 2}, {3, 3}, {4, 2}};

// Costs that MACs do not say, and many operators that were not measured.
LatencyModel odd_model(RandomStream& stream) {
  LatencyTable table;
  table.origin.unit = "instructions";
  table.overheads = {.per_layer = 10.0, .per_patch = 500.0, .per_patch_layer = 20.0};
  for (int i = 0; i < 30; ++i) {
    const Network network = testing::random_lowered_network(stream);
    for (const OperatorUse& use :
         operator_uses(network, ExecutionPlan(network, {}, InputMode::kResident))) {
      const std::int64_t cost =
          1 + use.key.bytes_moved() + static_cast<std::int64_t>(stream.below(1000));
      table.measurements[use.key] = {.cost = cost, .spread = 0};
    }
  }
  return LatencyModel(std::move(table));
}

// Latencies are added up in another order.
void expect_same(CandidateCosts a, CandidateCosts b) {
  ASSERT_EQ(a.latency.has_value(), b.latency.has_value());
  EXPECT_NEAR(a.latency.value_or(1.0) / b.latency.value_or(1.0), 1.0, 1e-9);
  a.latency = b.latency;
  EXPECT_EQ(a, b);
}

// By definition: every schedule's costs, one at a time.
struct Definition {
  std::optional<CandidateCosts> cheapest;  // of those that fit
  std::int64_t least_sram = std::numeric_limits<std::int64_t>::max();
};

Definition look_at_all(const Network& network, const Target& target, const LatencyModel* model) {
  Definition found;
  std::tuple<double, std::int64_t> least;
  for (const PatchSchedule& schedule : enumerate_schedules(network, kGrids, SplitPoints::kLayers)) {
    const CandidateCosts costs = costs_of(network, schedule, target, model);
    found.least_sram = std::min(found.least_sram, costs.sram_bytes);
    const std::tuple cost{costs.latency.value_or(static_cast<double>(costs.macs)),
                          costs.sram_bytes};
    if (meets_limits(costs, target) && (!found.cheapest || cost < least)) {
      found.cheapest = costs;
      least = cost;
    }
  }
  return found;
}

void expect_the_best(const LatencyModel* model, MemoryModel memory_model, const char* stream_name) {
  RandomStream stream(11, stream_name);
  int with_patches = 0;
  int infeasible = 0;
  int too_slow = 0;
  int too_many_macs = 0;
  for (int i = 0; i < 300; ++i) {
    const Network network = testing::random_network(stream);
    Target target{.sram_bytes = 300 + static_cast<std::int64_t>(stream.below(2500)),
                  .flash_bytes = kNoLimit,
                  .memory_model = memory_model,
                  .input = stream.chance(0.5) ? InputMode::kResident : InputMode::kStreamed};
    if (stream.chance(0.2)) {
      target.flash_bytes =
          flash_report(network, ExecutionPlan(network, {}, target.input), target.core)
              .total_bytes() +
          400;
    }
    if (model != nullptr && stream.chance(0.5)) {
      target.latency =
          latency_report(network, ExecutionPlan(network, {}, target.input), *model).total * 1.02;
    }
    if (stream.chance(0.5)) {
      target.max_macs = static_cast<std::int64_t>(static_cast<double>(network_macs(network)) *
                                                  (0.99 + 0.1 * stream.uniform()));
    }
    ScheduleChooser chooser({.family = ScheduleFamily::kPatches, .patch_grids = kGrids}, target,
                            model);
    const ScheduleChoice choice = chooser.choose(network);
    SCOPED_TRACE(std::string(to_string(memory_model)) + ", network " + std::to_string(i) + ", " +
                 to_json(choice.schedule));
    const Definition expected = look_at_all(network, target, model);
    ASSERT_EQ(choice.fits, expected.cheapest.has_value());
    expect_same(choice.costs, costs_of(network, choice.schedule, target, model));
    if (expected.cheapest) {
      expect_same(choice.costs, *expected.cheapest);
      with_patches += choice.schedule.segments.empty() ? 0 : 1;
    } else {
      const bool fits_memory = choice.costs.sram_bytes <= target.sram_bytes &&
                               choice.costs.flash_bytes <= target.flash_bytes;
      EXPECT_TRUE(fits_memory || choice.costs.sram_bytes == expected.least_sram);
      const bool has_many_macs = choice.costs.macs > target.max_macs;
      too_many_macs += fits_memory && has_many_macs ? 1 : 0;
      too_slow += fits_memory && !has_many_macs ? 1 : 0;
      ++infeasible;
    }
  }
  EXPECT_GT(with_patches, 0);
  EXPECT_GT(infeasible, 3);
  EXPECT_EQ(too_slow > 0, model != nullptr);
  EXPECT_GT(too_many_macs, 0);
}

TEST(ScheduleChooser, TakesTheFittingScheduleOfLeastMacs) {
  expect_the_best(nullptr, MemoryModel::kDeployed, "chooser/deployed");
  expect_the_best(nullptr, MemoryModel::kMcunetV2, "chooser/mcunetv2");
  expect_the_best(nullptr, MemoryModel::kTflm, "chooser/tflm");
}

TEST(ScheduleChooser, TakesTheFittingScheduleOfLeastLatency) {
  RandomStream stream(11, "chooser/model");
  const LatencyModel model = odd_model(stream);
  expect_the_best(&model, MemoryModel::kDeployed, "chooser/latency");
  expect_the_best(&model, MemoryModel::kMcunetV2, "chooser/latency_mcunetv2");
}

TEST(ScheduleChooser, ListsEverySchedule) {
  RandomStream stream(11, "chooser/all");
  const Target target{.sram_bytes = 2000, .flash_bytes = kNoLimit};
  ScheduleChooser chooser({.family = ScheduleFamily::kPatches, .patch_grids = kGrids}, target,
                          nullptr);
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

// Of both families: never worse than patches alone, and where rows decide the fewest MACs of all
// chains within the limit.
TEST(ScheduleChooser, TakesRowsWhereTheyAreCheaper) {
  RandomStream stream(11, "chooser/rows");
  int by_rows = 0;
  int only_by_rows = 0;
  for (int i = 0; i < 200; ++i) {
    const Network network = testing::random_lowered_network(stream);
    const Target target{.sram_bytes = 300 + static_cast<std::int64_t>(stream.below(2500)),
                        .flash_bytes = kNoLimit,
                        .input = InputMode::kStreamed};
    ScheduleChooser patches({.family = ScheduleFamily::kPatches, .patch_grids = kGrids}, target,
                            nullptr);
    ScheduleChooser both({.patch_grids = kGrids}, target, nullptr);
    const ScheduleChoice published = patches.choose(network);
    const ScheduleChoice choice = both.choose(network);
    EXPECT_EQ(choice.costs, costs_of(network, choice.schedule, target));
    EXPECT_EQ(choice.fits, meets_limits(choice.costs, target));
    EXPECT_TRUE(choice.fits || !published.fits);
    if (choice.fits && published.fits) {
      EXPECT_LE(choice.costs.macs, published.costs.macs);
    } else if (!choice.fits) {
      EXPECT_LE(choice.costs.sram_bytes, published.costs.sram_bytes);
    }
    only_by_rows += choice.fits && !published.fits ? 1 : 0;
    const bool caches =
        std::any_of(choice.schedule.segments.begin(), choice.schedule.segments.end(),
                    [](const Segment& segment) { return segment.halo() == HaloPolicy::kCache; });
    by_rows += caches ? 1 : 0;
  }
  EXPECT_GT(by_rows, 20);
  EXPECT_GT(only_by_rows, 5);
}

// Even where an arena needs more than its lower bound.
TEST(ScheduleChooser, WithMoreMemoryNothingIsSlower) {
  RandomStream stream(11, "chooser/monotone");
  const LatencyModel model = odd_model(stream);
  int differ = 0;
  for (int i = 0; i < 60; ++i) {
    const Network network = testing::random_network(stream);
    double less_memory = std::numeric_limits<double>::infinity();
    for (std::int64_t sram_bytes = 600; sram_bytes < 3000; sram_bytes += 97) {
      ScheduleChooser chooser(
          {.family = ScheduleFamily::kRows},
          {.sram_bytes = sram_bytes, .flash_bytes = kNoLimit, .input = InputMode::kStreamed},
          &model);
      const ScheduleChoice choice = chooser.choose(network);
      if (choice.schedule == PatchSchedule::layer_by_layer()) {
        break;  // taken to be the fastest, as it is of kernels
      }
      if (choice.fits) {
        EXPECT_LE(*choice.costs.latency, less_memory * (1 + 1e-9)) << i << ", " << sram_bytes;
        differ += *choice.costs.latency < less_memory * (1 - 1e-9) ? 1 : 0;
        less_memory = *choice.costs.latency;
      }
    }
  }
  EXPECT_GT(differ, 60);
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
    for (const ScheduleChoice& kept : front) {
      EXPECT_TRUE(std::any_of(choices.begin(), choices.end(), [&](const ScheduleChoice& choice) {
        return choice.costs.sram_bytes == kept.costs.sram_bytes &&
               choice.costs.macs == kept.costs.macs;
      }));
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
