#include "latency_models/latency_models.h"

#include <set>

#include <gtest/gtest.h>

#include "arch/tile_geometry.h"
#include "support/random_networks.h"

namespace patchnas {
namespace {

template <typename Check>
void for_random_schedules(const char* stream_name, Check check) {
  RandomStream stream(4, stream_name);
  for (int round = 0; round < 60; ++round) {
    Network network = round % 2 == 0 ? testing::random_lowered_network(stream)
                                     : testing::random_general_network(stream);
    if (round % 3 == 0) {
      network = testing::with_random_groups(std::move(network), stream);
    }
    for (const PatchSchedule& schedule : testing::all_schedules(network, stream)) {
      check(network, schedule);
    }
  }
}

TEST(MacCost, EqualsTheMacCountOfTheSchedule) {
  for_random_schedules("latency/macs", [](const Network& network, const PatchSchedule& schedule) {
    const LatencyReport report = latency_report(network, schedule, MacCost());
    EXPECT_EQ(static_cast<std::int64_t>(report.total), scheduled_macs(network, schedule));
    double sum = 0;
    for (const double cost : report.layers) {
      sum += cost;
    }
    EXPECT_EQ(sum, report.total);
  });
}

TEST(OperatorUses, CountEveryTileOnce) {
  for_random_schedules("latency/counts", [](const Network& network, const PatchSchedule& schedule) {
    std::vector<std::int64_t> executions(network.layers.size(), 0);
    std::set<std::pair<int, OperatorKey>> keys;
    for (const OperatorUse& use : operator_uses(network, schedule)) {
      executions[static_cast<std::size_t>(use.layer)] += use.count;
      EXPECT_TRUE(keys.emplace(use.layer, use.key).second) << "an operator is listed twice";
    }
    for (int layer = 0; layer < network.layer_count(); ++layer) {
      std::int64_t expected = 1;
      for (const Segment& segment : schedule.segments) {
        if (layer >= segment.first_layer && layer < segment.end_layer) {
          expected = std::int64_t{segment.grid.rows} * segment.grid.cols;
        }
      }
      EXPECT_EQ(executions[static_cast<std::size_t>(layer)], expected);
    }
  });
}

}  // namespace
}  // namespace patchnas
