// How fast candidates are judged: architectures of a space, lowered, with peak SRAM, flash and MACs
// of all their patch schedules.
//
//   memory_models_benchmark --benchmark_counters_tabular=true
//
// items_per_second are candidates. The first two benchmarks are what a search does, on one core and
// on all; the others are its parts, and the same numbers computed one schedule at a time.

#include <algorithm>
#include <string>

#include <benchmark/benchmark.h>

#include "arch/base/parallel.h"
#include "arch/row_schedules.h"
#include "arch/tile_geometry.h"
#include "benchmarks/candidates.h"
#include "latency_models/segment_latency.h"
#include "memory_models/segment_sweep.h"
#include "search/base/files.h"
#include "tests/support/allocation_counter.h"

namespace patchnas::benchmarks {
namespace {

constexpr int kArchitectures = 64;

// Small networks, and large ones.
constexpr const char* kFashionMnist = PATCHNAS_SOURCE_DIR "/configs/fashion_mnist_32kb.yaml";
constexpr const char* kMcunet160 = PATCHNAS_SOURCE_DIR "/benchmarks/mcunet_160.yaml";
constexpr const char* kLatencyTable = PATCHNAS_SOURCE_DIR "/latency_models/tables/cortex-m7.txt";

struct Candidates {
  explicit Candidates(const char* file)
      : space(read_space(file)), architectures(random_architectures(space, kArchitectures)) {
    for (const Architecture& architecture : architectures) {
      networks.push_back(lower(space, architecture));
    }
  }

  [[nodiscard]] std::vector<PatchSchedule> schedules(const Network& network) const {
    return enumerate_schedules(network, space.schedules.patch_grids, space.schedules.split_points);
  }

  SearchSpace space;
  std::vector<Architecture> architectures;
  std::vector<Network> networks;
};

// Calls `judge` with one number from 0 to kArchitectures - 1 after the other.
template <typename Judge>
void judge_in_turn(benchmark::State& state, const Judge& judge) {
  std::size_t next = 0;
  for (auto _ : state) {
    judge(next++ % kArchitectures);
  }
  state.SetItemsProcessed(state.iterations());
}

void judge_candidates(benchmark::State& state, const char* file) {
  const Candidates candidates(file);
  CandidateJudge judge(candidates.space);
  for (const Architecture& architecture : candidates.architectures) {
    judge.judge(architecture);
  }
  std::int64_t allocations = 0;
  std::size_t schedules = 0;
  judge_in_turn(state, [&](std::size_t i) {
    const std::int64_t before = testing::allocations();
    judge.judge(candidates.architectures[i]);
    allocations += testing::allocations() - before;
    benchmark::DoNotOptimize(judge.flash_bytes().data());
    schedules += judge.costs().size();
  });
  state.counters["allocations/candidate"] =
      benchmark::Counter(static_cast<double>(allocations), benchmark::Counter::kAvgIterations);
  state.counters["schedules/candidate"] =
      benchmark::Counter(static_cast<double>(schedules), benchmark::Counter::kAvgIterations);
}

void judge_candidates_on_all_cores(benchmark::State& state, const char* file) {
  constexpr int kBatch = 16 * kArchitectures;
  const Candidates candidates(file);
  std::vector<CandidateJudge> judges;
  for (int i = 0; i < thread_count(); ++i) {
    judges.emplace_back(candidates.space);
  }
  for (auto _ : state) {
    parallel_each(kBatch, [&](int thread, int i) {
      CandidateJudge& judge = judges[static_cast<std::size_t>(thread)];
      judge.judge(candidates.architectures[static_cast<std::size_t>(i % kArchitectures)]);
      benchmark::DoNotOptimize(judge.flash_bytes().data());
    });
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
  state.counters["cores"] = static_cast<double>(judges.size());
}

void lower_architectures(benchmark::State& state, const char* file) {
  const Candidates candidates(file);
  Network network;
  judge_in_turn(state, [&](std::size_t i) {
    lower(candidates.space, candidates.architectures[i], network);
    benchmark::DoNotOptimize(network.layers.data());
  });
}

void sweep_schedules(benchmark::State& state, const char* file) {
  const Candidates candidates(file);
  ScheduleSweep sweep(candidates.space.schedules.patch_grids,
                      candidates.space.schedules.split_points, kInput);
  judge_in_turn(state, [&](std::size_t i) {
    benchmark::DoNotOptimize(sweep.run(candidates.networks[i]).data());
  });
}

// The numbers of sweep_schedules by their definitions.
void judge_schedules_one_by_one(benchmark::State& state, const char* file) {
  const Candidates candidates(file);
  judge_in_turn(state, [&](std::size_t i) {
    const Network& network = candidates.networks[i];
    for (const PatchSchedule& schedule : candidates.schedules(network)) {
      benchmark::DoNotOptimize(
          unplaced_arena_plan(ExecutionPlan(network, schedule, kInput)).lower_bound_bytes);
      benchmark::DoNotOptimize(
          memory_report(network, schedule, MemoryModel::kMcunetV2, kInput).peak_sram_bytes);
      benchmark::DoNotOptimize(scheduled_macs(network, schedule));
    }
  });
}

// An eighth of what layer by layer needs: few networks have patches that need so little.
std::vector<std::int64_t> tight_limits(const Candidates& candidates) {
  std::vector<std::int64_t> limits;
  for (const Network& network : candidates.networks) {
    limits.push_back(unplaced_arena_plan(ExecutionPlan(network, {}, kInput)).lower_bound_bytes / 8);
  }
  return limits;
}

// All segments that cache rows: the cheapest chain within a tight limit.
void find_chains(benchmark::State& state, const Candidates& candidates, SegmentCosts* costs) {
  const std::vector<std::int64_t> limits = tight_limits(candidates);
  SegmentSweep sweep({.most_strips = candidates.space.schedules.most_strips}, InputMode::kStreamed,
                     costs);
  double found = 0;
  judge_in_turn(state, [&](std::size_t i) {
    sweep.assign(candidates.networks[i]);
    found += sweep.cheapest(limits[i]) ? 1 : 0;
  });
  state.counters["found"] = found / static_cast<double>(state.iterations());
}

// Of fewest multiply-accumulates.
void find_cheapest_chain(benchmark::State& state, const char* file) {
  find_chains(state, Candidates(file), nullptr);
}

// Of least latency, from a table that is shipped.
void find_fastest_chain(benchmark::State& state, const char* file) {
  const LatencyModel model(LatencyTable::parse(read_file(kLatencyTable), kLatencyTable));
  SegmentLatency latency(model);
  find_chains(state, Candidates(file), &latency);
}

// Every chain that no other beats.
void find_front_of_chains(benchmark::State& state, const char* file) {
  const Candidates candidates(file);
  SegmentSweep sweep({.most_strips = candidates.space.schedules.most_strips}, InputMode::kStreamed);
  double points = 0;
  judge_in_turn(state, [&](std::size_t i) {
    sweep.assign(candidates.networks[i]);
    points += static_cast<double>(sweep.front().size());
  });
  state.counters["points"] = points / static_cast<double>(state.iterations());
}

// What a shortest path needs, by the definitions: every segment between two cuts by itself.
void price_segments_one_by_one(benchmark::State& state, const char* file) {
  const Candidates candidates(file);
  double segments = 0;
  judge_in_turn(state, [&](std::size_t i) {
    const Network& network = candidates.networks[i];
    const std::vector<int> cuts = segment_cuts(network);
    for (std::size_t first = 0; first + 1 < cuts.size(); ++first) {
      for (std::size_t end = first + 1; end < cuts.size(); ++end) {
        Segment segment = Segment::rows(cuts[first], cuts[end], 1, 1);
        const int width = network.shape(paced_layer(network, segment) + 1).width;
        const int most = std::min(candidates.space.schedules.most_strips, width);
        for (; segment.grid.cols <= most; ++segment.grid.cols, ++segments) {
          const PatchSchedule schedule{{segment}};
          benchmark::DoNotOptimize(
              unplaced_arena_plan(ExecutionPlan(network, schedule, InputMode::kStreamed))
                  .lower_bound_bytes);
          benchmark::DoNotOptimize(scheduled_macs(network, schedule));
        }
      }
    }
  });
  state.counters["segments"] = segments / static_cast<double>(state.iterations());
}

// On demand: the `tflm` model of every schedule.
void place_tflm(benchmark::State& state, const char* file) {
  const Candidates candidates(file);
  judge_in_turn(state, [&](std::size_t i) {
    const Network& network = candidates.networks[i];
    for (const PatchSchedule& schedule : candidates.schedules(network)) {
      benchmark::DoNotOptimize(
          memory_report(network, schedule, MemoryModel::kTflm, kInput).peak_sram_bytes);
    }
  });
}

// What a search adds for the schedule that it chooses: here the one of least SRAM.
void plan_one_arena(benchmark::State& state, const char* file) {
  const Candidates candidates(file);
  std::vector<PatchSchedule> chosen;
  ScheduleSweep sweep(candidates.space.schedules.patch_grids,
                      candidates.space.schedules.split_points, kInput);
  for (const Network& network : candidates.networks) {
    const std::span<const ScheduleCosts> costs = sweep.run(network);
    chosen.push_back(std::min_element(costs.begin(), costs.end(),
                                      [](const ScheduleCosts& a, const ScheduleCosts& b) {
                                        return a.deployed_bytes < b.deployed_bytes;
                                      })
                         ->schedule());
  }
  judge_in_turn(state, [&](std::size_t i) {
    benchmark::DoNotOptimize(
        plan_arena(ExecutionPlan(candidates.networks[i], chosen[i], kInput)).arena_bytes);
  });
}

BENCHMARK_CAPTURE(judge_candidates, fashion_mnist_32kb, kFashionMnist);
BENCHMARK_CAPTURE(judge_candidates, mcunet_160, kMcunet160);
BENCHMARK_CAPTURE(judge_candidates_on_all_cores, fashion_mnist_32kb, kFashionMnist)->UseRealTime();
BENCHMARK_CAPTURE(judge_candidates_on_all_cores, mcunet_160, kMcunet160)->UseRealTime();
BENCHMARK_CAPTURE(lower_architectures, fashion_mnist_32kb, kFashionMnist);
BENCHMARK_CAPTURE(lower_architectures, mcunet_160, kMcunet160);
BENCHMARK_CAPTURE(sweep_schedules, fashion_mnist_32kb, kFashionMnist);
BENCHMARK_CAPTURE(sweep_schedules, mcunet_160, kMcunet160);
BENCHMARK_CAPTURE(judge_schedules_one_by_one, fashion_mnist_32kb, kFashionMnist);
BENCHMARK_CAPTURE(judge_schedules_one_by_one, mcunet_160, kMcunet160);
BENCHMARK_CAPTURE(find_cheapest_chain, fashion_mnist_32kb, kFashionMnist);
BENCHMARK_CAPTURE(find_cheapest_chain, mcunet_160, kMcunet160);
BENCHMARK_CAPTURE(find_fastest_chain, fashion_mnist_32kb, kFashionMnist);
BENCHMARK_CAPTURE(find_fastest_chain, mcunet_160, kMcunet160);
BENCHMARK_CAPTURE(find_front_of_chains, fashion_mnist_32kb, kFashionMnist);
BENCHMARK_CAPTURE(find_front_of_chains, mcunet_160, kMcunet160);
BENCHMARK_CAPTURE(price_segments_one_by_one, fashion_mnist_32kb, kFashionMnist);
BENCHMARK_CAPTURE(price_segments_one_by_one, mcunet_160, kMcunet160);
BENCHMARK_CAPTURE(place_tflm, fashion_mnist_32kb, kFashionMnist);
BENCHMARK_CAPTURE(place_tflm, mcunet_160, kMcunet160);
BENCHMARK_CAPTURE(plan_one_arena, fashion_mnist_32kb, kFashionMnist);
BENCHMARK_CAPTURE(plan_one_arena, mcunet_160, kMcunet160);

}  // namespace
}  // namespace patchnas::benchmarks
