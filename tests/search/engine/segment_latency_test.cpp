#include "latency_models/segment_latency.h"

#include <algorithm>
#include <limits>
#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "arch/arch.h"
#include "arch/row_schedules.h"
#include "memory_models/arena_plan.h"
#include "memory_models/segment_sweep.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

constexpr int kMostStrips = 3;

struct Case {
  Network network;
  InputMode input = InputMode::kStreamed;
};

std::vector<Case> random_cases(const char* stream_name, int count) {
  RandomStream stream(5, stream_name);
  std::vector<Case> cases;
  for (int i = 0; i < count; ++i) {
    cases.push_back({.network = testing::random_network(stream),
                     .input = stream.chance(0.5) ? InputMode::kResident : InputMode::kStreamed});
  }
  return cases;
}

// Calls take(plan, first cut, end cut) for every part that a chain may have: layers between two
// cuts that are next to each other, whole, and all segments.
template <typename Take>
void for_parts(const Case& c, const std::vector<int>& cuts, const Take& take) {
  const NetworkTaps taps(c.network);
  for (std::size_t a = 0; a + 1 < cuts.size(); ++a) {
    take(ExecutionPlan(c.network, {}, c.input), a, a + 1);
    const std::vector<char> ends = segment_ends(c.network, taps, cuts[a]);
    for (std::size_t b = a + 1; b < cuts.size(); ++b) {
      const auto layers = static_cast<std::size_t>(cuts[b] - cuts[a]);
      if (layers > ends.size() || ends[layers - 1] == 0) {
        continue;
      }
      Segment segment = Segment::rows(cuts[a], cuts[b], 1, 1);
      const int width = c.network.shape(paced_layer(c.network, segment) + 1).width;
      const int height = c.network.shape(cuts[a] + 1).height;
      for (; segment.grid.cols <= std::min(kMostStrips, width); ++segment.grid.cols) {
        for (segment.step_rows = 1; segment.step_rows <= height; ++segment.step_rows) {
          const SegmentGeometry geometry(c.network, segment);
          if (geometry.grid() != TileGrid{1, 1}) {
            take(ExecutionPlan(c.network, {{segment}}, c.input), a, b);
          }
        }
      }
    }
  }
}

// In which every operator of these networks was measured. More of the same costs more, but for the
// noise of measuring: pieces may cost less than the whole.
LatencyModel model_of(const std::vector<Case>& cases) {
  RandomStream stream(5, "segment_latency/table");
  LatencyTable table;
  table.origin.unit = "instructions";
  table.overheads = {.per_layer = 30.5, .per_patch = 200.25, .per_patch_layer = 60.125};
  for (const Case& c : cases) {
    for_parts(c, segment_cuts(c.network), [&](const ExecutionPlan& plan, std::size_t, std::size_t) {
      for (const OperatorUse& use : operator_uses(c.network, plan)) {
        const auto noise = static_cast<std::int64_t>(stream.below(40));
        table.measurements.try_emplace(
            use.key, Measurement{.cost = (5 + 2 * use.key.macs() + 3 * use.key.bytes_moved()) *
                                             (80 + noise) / 100 +
                                         1,
                                 .spread = 0});
      }
    });
  }
  return LatencyModel(std::move(table));
}

// Least latency of the chains that need so many bytes, where fewer need more.
std::map<std::int64_t, double> front_by_definition(const Case& c, const LatencyModel& model) {
  const std::vector<int> cuts = segment_cuts(c.network);
  std::vector<std::map<std::int64_t, double>> fronts(cuts.size());
  fronts[0][0] = 0.0;
  for_parts(c, cuts, [&](const ExecutionPlan& plan, std::size_t a, std::size_t b) {
    const std::vector<std::int64_t> live = live_bytes(unplaced_arena_plan(plan).buffers);
    const LatencyReport report = latency_report(c.network, plan, model);
    std::int64_t bytes = 0;
    double latency = 0.0;
    for (auto l = static_cast<std::size_t>(cuts[a]); l < static_cast<std::size_t>(cuts[b]); ++l) {
      bytes = std::max(bytes, live[l]);
      latency += report.layers[l].cost;
    }
    for (const auto& [bytes_before, latency_before] : fronts[a]) {
      double& there =
          fronts[b]
              .try_emplace(std::max(bytes, bytes_before), std::numeric_limits<double>::infinity())
              .first->second;
      there = std::min(there, latency + latency_before);
    }
  });
  return fronts.back();
}

TEST(SegmentLatency, WeighsTheShortestPath) {
  const std::vector<Case> cases = random_cases("segment_latency/front", 50);
  const LatencyModel model = model_of(cases);
  SegmentLatency latency(model);
  int limits = 0;
  int longer = 0;  // segments of more than one row a step
  int not_of_fewest_macs = 0;
  for (const Case& c : cases) {
    SegmentSweep sweep({.most_strips = kMostStrips}, c.input, &latency);
    sweep.assign(c.network);
    SegmentSweep by_macs({.most_strips = kMostStrips}, c.input);
    by_macs.assign(c.network);
    double least = std::numeric_limits<double>::infinity();
    for (const auto& [bytes, cost] : front_by_definition(c, model)) {
      if (cost >= least) {
        continue;
      }
      least = cost;
      const auto chain = sweep.cheapest(bytes);
      ASSERT_TRUE(chain.has_value());
      EXPECT_NEAR(chain->cost, least, 1e-9 * least) << to_json(chain->schedule);
      EXPECT_EQ(chain->macs, scheduled_macs(c.network, chain->schedule));
      EXPECT_LE(chain->deployed_bytes, bytes);
      const LatencyReport report =
          latency_report(c.network, ExecutionPlan(c.network, chain->schedule, c.input), model);
      EXPECT_NEAR(chain->cost, report.total, 1e-9 * report.total) << to_json(chain->schedule);
      not_of_fewest_macs += by_macs.cheapest(bytes)->macs < chain->macs ? 1 : 0;
      for (const Segment& segment : chain->schedule.segments) {
        longer += segment.step_rows > 1 ? 1 : 0;
      }
      ++limits;
    }
  }
  EXPECT_GT(limits, 150);
  EXPECT_GT(longer, 100);
  EXPECT_GT(not_of_fewest_macs, 0);
}

// Another network's costs are kept, and its layers are not mixed up with this one's.
TEST(SegmentLatency, IsTheSameAfterOtherNetworks) {
  const std::vector<Case> cases = random_cases("segment_latency/again", 100);
  const LatencyModel model = model_of({cases.front()});
  SegmentLatency kept(model);
  for (const Case& c : cases) {
    SegmentLatency afresh(model);
    SegmentSweep sweep({.most_strips = kMostStrips}, c.input, &kept);
    SegmentSweep other({.most_strips = kMostStrips}, c.input, &afresh);
    sweep.assign(c.network);
    other.assign(c.network);
    EXPECT_EQ(sweep.front(), other.front());
  }
}

}  // namespace
}  // namespace patchnas
