#include "memory_models/segment_sweep.h"

#include <algorithm>
#include <limits>
#include <map>

#include <gtest/gtest.h>

#include "arch/join_parts.h"
#include "arch/row_schedules.h"
#include "memory_models/arena_plan.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

using testing::random_lowered_network;
using testing::random_network;

constexpr int kMostStrips = 4;

// SRAM and MACs of every chain that no other beats, by the definition: each segment alone in the
// network's execution plan.
std::map<std::int64_t, std::int64_t> front_by_definition(const Network& network, InputMode input) {
  const std::vector<int> cuts = segment_cuts(network);
  const auto cost = [&](const PatchSchedule& schedule, int first, int end) {
    const std::vector<std::int64_t> live =
        live_bytes(unplaced_arena_plan(ExecutionPlan(network, schedule, input)).buffers);
    const std::vector<std::int64_t> macs = scheduled_layer_macs(network, schedule);
    std::pair<std::int64_t, std::int64_t> bytes_and_macs{0, 0};
    for (std::size_t l = static_cast<std::size_t>(first); l < static_cast<std::size_t>(end); ++l) {
      bytes_and_macs.first = std::max(bytes_and_macs.first, live[l]);
      bytes_and_macs.second += macs[l];
    }
    return bytes_and_macs;
  };
  using Front = std::map<std::int64_t, std::int64_t>;  // bytes to the fewest MACs
  std::vector<Front> fronts(cuts.size());
  fronts[0][0] = 0;
  for (std::size_t a = 0; a + 1 < cuts.size(); ++a) {
    const auto extend = [&](const PatchSchedule& schedule, std::size_t b) {
      const auto [bytes, macs] = cost(schedule, cuts[a], cuts[b]);
      for (const auto& [bytes_before, macs_before] : fronts[a]) {
        std::int64_t& there = fronts[b]
                                  .try_emplace(std::max(bytes, bytes_before),
                                               std::numeric_limits<std::int64_t>::max())
                                  .first->second;
        there = std::min(there, macs + macs_before);
      }
    };
    extend({}, a + 1);
    const std::vector<char> ends = segment_ends(network, NetworkTaps(network), cuts[a]);
    for (std::size_t b = a + 1; b < cuts.size(); ++b) {
      const auto layers = static_cast<std::size_t>(cuts[b] - cuts[a]);
      if (layers > ends.size() || ends[layers - 1] == 0) {
        continue;
      }
      Segment segment = Segment::rows(cuts[a], cuts[b], 1, 1);
      const int width = network.shape(paced_layer(network, segment) + 1).width;
      const int height = network.shape(cuts[a] + 1).height;
      for (; segment.grid.cols <= std::min(kMostStrips, width); ++segment.grid.cols) {
        for (segment.step_rows = 1; segment.step_rows <= height; ++segment.step_rows) {
          extend({{segment}}, b);
        }
      }
    }
  }
  Front best;
  std::int64_t fewest = std::numeric_limits<std::int64_t>::max();
  for (const auto& [bytes, macs] : fronts.back()) {
    if (macs < fewest) {
      best[bytes] = fewest = macs;
    }
  }
  return best;
}

TEST(SegmentSweep, FindsTheWholeFront) {
  RandomStream stream(5, "segments/front");
  int points = 0;
  int joined = 0;
  int longer = 0;         // segments of more than one row a step
  int beside_others = 0;  // segments that begin or end where more than one tensor passes
  for (int round = 0; round < 400; ++round) {
    Network network = random_network(stream);
    if (round % 2 == 0) {
      network = with_joined_parts(network);
      validate(network);
      joined += std::any_of(network.layers.begin(), network.layers.end(),
                            [](const Layer& layer) { return layer.writes_part(); })
                    ? 1
                    : 0;
    }
    const InputMode input = stream.chance(0.5) ? InputMode::kResident : InputMode::kStreamed;
    SegmentSweep sweep({.most_strips = kMostStrips}, input);
    sweep.assign(network);
    std::map<std::int64_t, std::int64_t> front;
    const std::vector<int> last = last_readers(network);
    const auto is_single = [&](int cut) {
      return std::all_of(last.begin(), last.begin() + cut,
                         [&](int reader) { return reader < cut; });
    };
    for (const SegmentChain& chain : sweep.front()) {
      validate(network, chain.schedule);
      EXPECT_EQ(chain.macs, scheduled_macs(network, chain.schedule));
      EXPECT_EQ(
          chain.deployed_bytes,
          unplaced_arena_plan(ExecutionPlan(network, chain.schedule, input)).lower_bound_bytes)
          << to_json(chain.schedule);
      front[chain.deployed_bytes] = chain.macs;
      ++points;
      for (const Segment& segment : chain.schedule.segments) {
        longer += segment.step_rows > 1 ? 1 : 0;
        beside_others += is_single(segment.first_layer) && is_single(segment.end_layer) ? 0 : 1;
      }
    }
    EXPECT_EQ(front, front_by_definition(network, input)) << "network " << round;
  }
  EXPECT_GT(points, 600);
  EXPECT_GT(beside_others, 20);
  EXPECT_GT(longer, 300);
  EXPECT_GT(joined, 8);
}

// More cuts than what ends at them is kept for.
TEST(SegmentSweep, LongNetworks) {
  Network network{.input = {24, 20, 3}, .layers = {}, .names = {}};
  TensorShape shape = network.input;
  for (int layer = 0; layer < 150; ++layer) {
    const bool is_strided = layer == 50 || layer == 100;
    const int stride = is_strided ? 2 : 1;
    shape = {shape.height / stride, shape.width / stride, 2 + layer * 7 % 5};
    network.layers.push_back(
        {.inputs = {layer, kNoTensor},
         .output = shape,
         .kernel = is_strided || layer % 3 == 0 ? Kernel{3, 3, stride, stride, 1, 1} : Kernel{}});
  }
  SegmentSweep sweep({.most_strips = 3}, InputMode::kStreamed);
  sweep.assign(network);
  const std::vector<SegmentChain> front = sweep.front();
  EXPECT_GT(front.size(), 1U);
  for (const SegmentChain& chain : front) {
    EXPECT_EQ(sweep.cheapest(chain.deployed_bytes), chain);
    EXPECT_EQ(chain.macs, scheduled_macs(network, chain.schedule));
    EXPECT_EQ(
        chain.deployed_bytes,
        unplaced_arena_plan({network, chain.schedule, InputMode::kStreamed}).lower_bound_bytes);
  }
}

TEST(SegmentSweep, KeepsTheLimit) {
  RandomStream stream(5, "segments/limit");
  for (int round = 0; round < 100; ++round) {
    const Network network = random_lowered_network(stream);
    SegmentSweep sweep({}, InputMode::kStreamed);
    sweep.assign(network);
    const std::vector<SegmentChain> front = sweep.front();
    ASSERT_FALSE(front.empty());
    SegmentSweep afresh({}, InputMode::kStreamed);
    for (const SegmentChain& chain : front) {
      EXPECT_EQ(sweep.cheapest(chain.deployed_bytes)->macs, chain.macs);
      afresh.assign(network);
      EXPECT_EQ(afresh.cheapest(chain.deployed_bytes), sweep.cheapest(chain.deployed_bytes));
    }
    EXPECT_EQ(sweep.cheapest(front.back().deployed_bytes - 1), std::nullopt);
    EXPECT_EQ(sweep.least(), front.back());
  }
}

}  // namespace
}  // namespace patchnas
