#include "memory_models/segment_bytes.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "memory_models/arena_plan.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

constexpr int kMostStrips = 4;

struct Subject {
  Subject(const Network& network, InputMode input) : bytes(cuts, input) {
    cuts.assign(network);
    axes.assign();
    bytes.assign();
  }

  // Calls check(first cut, end cut, height of the first layer's output, strips) for all segments.
  template <typename Check>
  void for_segments(const Check& check) {
    for (int end = 1; end < cuts.count(); ++end) {
      for (int first = cuts.first_cut(end); first < end; ++first) {
        if (!cuts.may_be_segment(first, end)) {
          continue;
        }
        const Segment segment = Segment::rows(cuts.layer(first), cuts.layer(end), 1, 1);
        const int height = cuts.network().shape(segment.first_layer + 1).height;
        const int width = cuts.network().shape(paced_layer(cuts.network(), segment) + 1).width;
        for (int strips = 1; strips <= std::min(kMostStrips, width); ++strips) {
          check(first, end, height, strips);
        }
      }
    }
  }

  NetworkCuts cuts;
  SegmentAxes axes{cuts, kMostStrips, nullptr};
  SegmentBytes bytes;
};

template <typename Check>
void for_random_networks(const char* stream_name, int rounds, const Check& check) {
  RandomStream stream(5, stream_name);
  for (int round = 0; round < rounds; ++round) {
    const Network network = testing::random_network(stream);
    const InputMode input = stream.chance(0.5) ? InputMode::kResident : InputMode::kStreamed;
    Subject subject(network, input);
    check(network, input, subject, stream);
  }
}

TEST(SegmentBytes, AreThoseOfTheExecutionPlan) {
  int segments = 0;
  for_random_networks(
      "segment_bytes/plan", 100,
      [&](const Network& network, InputMode input, Subject& subject, RandomStream& stream) {
        subject.for_segments([&](int first, int end, int height, int strips) {
          const int step_rows =
              1 + static_cast<int>(stream.below(static_cast<std::uint64_t>(height)));
          const Segment segment =
              Segment::rows(subject.cuts.layer(first), subject.cuts.layer(end), step_rows, strips);
          const std::vector<std::int64_t> live =
              live_bytes(unplaced_arena_plan(ExecutionPlan(network, {{segment}}, input)).buffers);
          EXPECT_EQ(subject.bytes.bytes(subject.axes.rows(first, end, step_rows),
                                        subject.axes.columns(end, strips), first, end, strips,
                                        std::numeric_limits<std::int64_t>::max()),
                    *std::max_element(live.begin() + segment.first_layer,
                                      live.begin() + segment.end_layer))
              << to_json({{segment}});
          ++segments;
        });
      });
  EXPECT_GT(segments, 2000);
}

TEST(SegmentBytes, AreBoundedFromBelow) {
  constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();
  double bounds = 0.0;
  int segments = 0;
  for_random_networks(
      "segment_bytes/least", 200, [&](const Network&, InputMode, Subject& subject, RandomStream&) {
        SegmentAxes& axes = subject.axes;
        const SegmentBytes& bytes = subject.bytes;
        subject.for_segments([&](int first, int end, int height, int strips) {
          const SegmentColumns& columns = axes.columns(end, strips);
          const auto least = [&](int step_rows, std::int64_t most_bytes) {
            return bytes.least_bytes(axes.rows(first, end, 1), columns, first, end, step_rows,
                                     strips, most_bytes);
          };
          for (int step_rows = 1; step_rows <= height; ++step_rows) {
            const std::int64_t bound = least(step_rows, kNoLimit);
            const std::int64_t exact = subject.bytes.bytes(axes.rows(first, end, step_rows),
                                                           columns, first, end, strips, kNoLimit);
            EXPECT_LE(bound, exact);
            EXPECT_GT(least(step_rows, bound - 1), bound - 1);
            EXPECT_LE(least(bytes.fewest_alike(axes.rows(first, end, 1), first, end, step_rows),
                            kNoLimit),
                      bound);
            bounds += static_cast<double>(bound) / static_cast<double>(exact);
            ++segments;
          }
        });
      });
  EXPECT_GT(bounds, 0.7 * segments);
}

}  // namespace
}  // namespace patchnas
