#include "latency_models/latency_models.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "arch/tile_geometry.h"
#include "latency_models/schedule_latency.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

template <typename Check>
void for_random_schedules(const char* stream_name, Check check) {
  RandomStream stream(4, stream_name);
  for (int round = 0; round < 60; ++round) {
    const Network network = testing::random_network(stream);
    for (const PatchSchedule& schedule : testing::all_schedules(network, stream)) {
      check(network, schedule);
    }
  }
}

// A cost for every operator of some random networks.
LatencyTable random_table(RandomStream& stream) {
  LatencyTable table;
  table.origin = {.target = "cortex-m4",
                  .unit = "instructions",
                  .kernels = "0123abcd",
                  .compiler = "a compiler 12.2",
                  .flags = "-O2",
                  .clock_hz = 0,
                  .repeats = 3,
                  .date = "2026-01-31",
                  .command = "measure_latency --config a.yaml --target cortex-m4"};
  table.overheads = {.per_layer = 30.5, .per_patch = 20.25, .per_patch_layer = 60.125};
  for (int round = 0; round < 20; ++round) {
    const Network network = testing::random_lowered_network(stream);
    for (const PatchSchedule& schedule : testing::all_schedules(network, stream)) {
      for (const OperatorUse& use :
           operator_uses(network, ExecutionPlan(network, schedule, InputMode::kResident))) {
        if (stream.chance(0.5)) {
          table.measurements[use.key] = {.cost = 1 + 2 * use.key.macs() + use.key.bytes_moved(),
                                         .spread = static_cast<std::int64_t>(stream.below(9))};
        }
      }
    }
  }
  return table;
}

TEST(OperatorUses, HaveTheMacsOfTheSchedule) {
  for_random_schedules("latency/macs", [](const Network& network, const PatchSchedule& schedule) {
    std::int64_t macs = 0;
    for (const OperatorUse& use :
         operator_uses(network, ExecutionPlan(network, schedule, InputMode::kResident))) {
      macs += use.count * use.key.macs();
    }
    // Of a transposed convolution inputs count with all of their taps.
    const bool scatters = std::ranges::any_of(
        network.layers, [](const Layer& layer) { return layer.kind == LayerKind::kTransposeConv; });
    EXPECT_TRUE(macs == scheduled_macs(network, schedule) ||
                (scatters && macs > scheduled_macs(network, schedule)));
  });
}

// What runs in each tile, one by one.
TEST(OperatorUses, CountEveryCallOnce) {
  for_random_schedules("latency/counts", [](const Network& network, const PatchSchedule& schedule) {
    const ExecutionPlan plan(network, schedule, InputMode::kStreamed);
    std::vector<std::int64_t> executions(network.layers.size(), 0);
    std::set<std::pair<int, OperatorKey>> keys;
    std::int64_t moved = 0;
    for (const OperatorUse& use : operator_uses(network, plan)) {
      EXPECT_TRUE(keys.emplace(use.layer, use.key).second) << "an operator is listed twice";
      if (use.key.family.kernel == KernelFunction::kMove) {
        moved += use.count * use.key.cols.output * use.key.family.output_channels;
      } else {
        executions[static_cast<std::size_t>(use.layer)] += use.count;
      }
    }
    for (const Loop& loop : plan.loops()) {
      for (const Tile& tile : tiles(loop)) {
        for (int step = loop.first_step; step < loop.end_step; ++step) {
          std::int64_t& count = executions[static_cast<std::size_t>(plan.step(step).first_layer)];
          count -= plan.runs(step, tile) ? 1 : 0;
          count -= plan.step(step).adds_up && plan.computed(step, tile).pixels() > 0 ? 1 : 0;
        }
        for (const TensorId tensor : loop.slides) {
          const Rect kept = plan.kept(tensor, tile);
          moved -= kept.rows.begin > plan.held(tensor, tile).rows.begin
                       ? kept.pixels() * network.shape(tensor).channels
                       : 0;
        }
      }
    }
    EXPECT_EQ(moved, 0);
    EXPECT_TRUE(std::all_of(executions.begin(), executions.end(),
                            [](std::int64_t count) { return count == 0; }));
  });
}

TEST(OperatorKey, ReadsBackFromItsText) {
  for_random_schedules("latency/text", [](const Network& network, const PatchSchedule& schedule) {
    for (const OperatorUse& use :
         operator_uses(network, ExecutionPlan(network, schedule, InputMode::kResident))) {
      EXPECT_EQ(parse_operator_key(to_string(use.key), "test"), use.key) << to_string(use.key);
    }
  });
}

// A key has the channels of one group, and the extents of a window without dilation.
TEST(OperatorUses, OfGroupsCountTheirOwnProducts) {
  Network network{.input = {9, 8, 6}, .layers = {}, .names = {}};
  network.layers.push_back({.output = {9, 8, 4}, .kernel = {3, 3, 1, 1, 2, 2, 2, 2}, .groups = 2});
  const auto uses = operator_uses(network, ExecutionPlan(network, {}, InputMode::kResident));
  ASSERT_EQ(uses.size(), 1U);
  EXPECT_EQ(to_string(uses[0].key), "convolve_groups 3x3 1x1 0x0 11x10x3 9x8x4");
  EXPECT_EQ(uses[0].key.macs(), network_macs(network));
  EXPECT_EQ(parse_operator_key(to_string(uses[0].key), "key"), uses[0].key);
}

TEST(LatencyTable, ReadsBackFromItsText) {
  RandomStream stream(4, "latency/table");
  const LatencyTable table = random_table(stream);
  EXPECT_EQ(LatencyTable::parse(table.text(), "t.txt"), table);
}

std::string message_of(const std::string& text) {
  try {
    LatencyTable::parse(text, "t.txt");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(LatencyTable, SaysWhatIsWrongAndWhere) {
  RandomStream stream(4, "latency/damage");
  const std::string good = random_table(stream).text();
  const std::size_t rows = good.find("operators:\n") + 11;
  const std::string head = good.substr(0, rows);
  const std::string row = good.substr(rows, good.find('\n', rows) + 1 - rows);
  EXPECT_EQ(message_of(head + row), "");
  const auto expect_refused = [&](const std::string& text, const std::string& where,
                                  const std::string& why) {
    const std::string message = message_of(text);
    EXPECT_EQ(message.find("t.txt:" + where), 0U) << message;
    EXPECT_NE(message.find(why), std::string::npos) << message;
  };
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = head;
    return text.replace(text.find(from), from.size(), to) + row;
  };
  expect_refused("", "1", "not a latency table");
  expect_refused("patchnas latency table, format 2\n", "1", "format 1");
  expect_refused(with("unit: instructions", "unit: fortnights"), "3", "unit must be");
  expect_refused(with("overhead_per_patch: 20.25", "overhead_per_patch: nan"), "12", "overhead");
  expect_refused(with("overhead_per_layer: 30.5", "overhead_per_layer: -1"), "11", "overhead");
  expect_refused(with("repeats: 3\n", ""), "8", "'repeats: …' is missing");
  expect_refused(head + row + row, "16", "is there twice");
  expect_refused(head + row.substr(0, row.size() - 1), "15", "cut off");
  const std::string key = "pointwise 1x1 1x1 0x0 1x9x8 1x9x4 ";
  EXPECT_EQ(message_of(head + key + "100 0\n"), "");
  expect_refused(head + key + "-100 0\n", "15", "positive");
  expect_refused(head + key + "0 0\n", "15", "positive");
  expect_refused(head + key + "100 -1\n", "15", "not negative");
  expect_refused(head + key + "inf 0\n", "15", "two integers");
  expect_refused(head + key + "100\n", "15", "two integers");
  expect_refused(head + key + "99999999999999999999 0\n", "15", "two integers");
  expect_refused(head + "pointwise 1x1 1x1\n", "15", "an operator, its cost");
  expect_refused(head + "no_such 1x1 1x1 0x0 1x9x8 1x9x4 1 0\n", "15", "is no kernel");
  expect_refused(head + "pointwise 1x1 1x1 0x0 1x9x8 1x8x4 1 0\n", "15", "do not read this input");
  expect_refused(head + "add 1x1 1x1 0x0 2x2x8 2x2x4 1 0\n", "15", "as many output channels");
  expect_refused(head + "convolve 3x3 1x1 3x0 2x2x8 2x2x4 1 0\n", "15", "do not read this input");
  expect_refused(head + "convolve 3x 1x1 1x1 2x2x8 2x2x4 1 0\n", "15", "is no operator");
}

TEST(LatencyTable, SurvivesRandomDamage) {
  RandomStream stream(4, "latency/mutations");
  const std::string good = random_table(stream).text();
  int refused = 0;
  for (int round = 0; round < 300; ++round) {
    std::string text = good.substr(0, 1000 + stream.below(2000));
    for (int i = 0; i < 3; ++i) {
      text[stream.below(text.size())] = static_cast<char>(stream.below(256));
    }
    refused += message_of(text).empty() ? 0 : 1;
  }
  EXPECT_GT(refused, 200);
}

TEST(LatencyTable, IsRefusedForAnotherTargetOrOtherKernels) {
  RandomStream stream(4, "latency/origin");
  const LatencyTable table = random_table(stream);
  EXPECT_NO_THROW(require_origin(table, "cortex-m4", "0123abcd", "t.txt"));
  EXPECT_THROW(require_origin(table, "cortex-m7", "0123abcd", "t.txt"), InputError);
  EXPECT_THROW(require_origin(table, "cortex-m4", "4567abcd", "t.txt"), InputError);
}

TEST(LatencyReport, AddsWhatWasMeasuredAndMarksTheRest) {
  RandomStream stream(4, "latency/report");
  const LatencyModel model(random_table(stream));
  for_random_schedules("latency/sums", [&](const Network& network, const PatchSchedule& schedule) {
    const LatencyReport report =
        latency_report(network, ExecutionPlan(network, schedule, InputMode::kResident), model);
    double measured = 0.0;
    double predicted = 0.0;
    for (const OperatorUse& use :
         operator_uses(network, ExecutionPlan(network, schedule, InputMode::kResident))) {
      const Measurement* const known = model.table().find(use.key);
      if (known != nullptr) {
        measured += static_cast<double>(use.count * known->cost);
      } else {
        predicted += static_cast<double>(use.count) * model.predictor().predict(use.key);
      }
    }
    const ExecutionPlan plan(network, schedule, InputMode::kResident);
    double overhead = 0.0;
    for (const Loop& loop : plan.loops()) {
      overhead += loop.geometry ? 20.25 * loop.grid().rows * loop.grid().cols : 0.0;
    }
    for (const OperatorUse& use : operator_uses(network, plan)) {
      const bool in_loop = plan.loop_of(plan.step_of_layer(use.layer)).geometry.has_value();
      overhead += static_cast<double>(use.count) * (in_loop ? 60.125 : 30.5);
    }
    EXPECT_NEAR(report.predicted, predicted, 1e-9 * report.total);
    EXPECT_NEAR(report.total, measured + predicted + overhead, 1e-9 * report.total);
  });
}

TEST(ScheduleLatency, IsThatOfTheReport) {
  RandomStream stream(4, "latency/sweep");
  const LatencyModel model(random_table(stream));
  ScheduleLatency latency(model);
  for (int round = 0; round < 60; ++round) {
    const Network network = testing::random_lowered_network(stream);
    latency.assign(network);
    std::vector<PatchSchedule> schedules =
        enumerate_schedules(network, {{1, 1}, {2, 2}, {1, 3}, {4, 4}}, SplitPoints::kLayers);
    // In order, and then in any.
    const std::size_t in_order = schedules.size();
    for (std::size_t i = 0; i < in_order; ++i) {
      schedules.push_back(schedules[stream.below(in_order)]);
    }
    for (const PatchSchedule& schedule : schedules) {
      const double expected =
          latency_report(network, ExecutionPlan(network, schedule, InputMode::kResident), model)
              .total;
      EXPECT_NEAR(latency.total(schedule.leading_grid(), schedule.split_layer()), expected,
                  1e-9 * expected);
    }
  }
}

TEST(WordMap, FindsWhatWasInserted) {
  RandomStream stream(4, "latency/words");
  WordMap<std::size_t> map;
  std::map<std::vector<std::uint64_t>, std::size_t> expected;
  for (std::size_t round = 0; round < 5000; ++round) {
    std::vector<std::uint64_t> key(stream.below(4));
    for (std::uint64_t& word : key) {
      word = stream.below(12) << (stream.chance(0.5) ? 0 : 48);
    }
    const auto known = expected.find(key);
    EXPECT_EQ(map.find(key),
              known == expected.end() ? std::nullopt : std::optional<std::size_t>(known->second));
    if (known == expected.end()) {
      map.insert(key, round);
      expected[key] = round;
    }
  }
  EXPECT_EQ(map.size(), expected.size());
}

// Costs that are what the features can say are predicted almost exactly.
TEST(LatencyPredictor, FindsCostsThatFollowItsFeatures) {
  RandomStream stream(4, "latency/fit");
  const LatencyTable table = random_table(stream);
  const LatencyPredictor predictor(table.measurements);
  int checked = 0;
  for (const PredictionError& error : predictor.held_out_errors()) {
    if (error.measured > 100) {
      EXPECT_LT(error.mean, 0.02) << error.kernel;
      ++checked;
    }
  }
  EXPECT_GT(checked, 2);
  EXPECT_THROW(LatencyPredictor({}), InputError);
}

}  // namespace
}  // namespace patchnas
