// What latency adds to judging a candidate: SRAM and MACs of all schedules of a network by the
// sweep, and beside them their latencies from a table.
//
//   latency_benchmark --benchmark_counters_tabular=true
//
// items_per_second are candidates. The table's numbers are made up: looking them up takes as long
// as looking up measured ones.

#include <algorithm>

#include <benchmark/benchmark.h>

#include "benchmarks/candidates.h"
#include "latency_models/schedule_latency.h"

namespace patchnas::benchmarks {
namespace {

constexpr int kArchitectures = 64;
constexpr const char* kFashionMnist = PATCHNAS_SOURCE_DIR "/configs/fashion_mnist_32kb.yaml";
constexpr const char* kMcunet160 = PATCHNAS_SOURCE_DIR "/benchmarks/mcunet_160.yaml";

struct Subject {
  explicit Subject(const char* file) : space(read_space(file)) {
    for (const Architecture& architecture : random_architectures(space, kArchitectures)) {
      networks.push_back(lower(space, architecture));
    }
  }

  // Half of the operators were measured.
  [[nodiscard]] LatencyModel model() const {
    LatencyTable table;
    table.origin.unit = "instructions";
    table.overheads = {.per_layer = 30.0, .per_patch = 30.0, .per_patch_layer = 50.0};
    RandomStream stream(1, "benchmark/table");
    for (const Network& network : networks) {
      for (const PatchSchedule& schedule : enumerate_schedules(network, space.schedules.patch_grids,
                                                               space.schedules.split_points)) {
        for (const OperatorUse& use :
             operator_uses(network, ExecutionPlan(network, schedule, InputMode::kResident))) {
          if (stream.chance(0.5)) {
            table.measurements[use.key] = {.cost = 100 + 2 * use.key.macs(), .spread = 0};
          }
        }
      }
    }
    return LatencyModel(std::move(table));
  }

  SearchSpace space;
  std::vector<Network> networks;
};

void memory_of_all_schedules(benchmark::State& state, const char* file) {
  const Subject subject(file);
  ScheduleSweep sweep(subject.space.schedules.patch_grids, subject.space.schedules.split_points,
                      kInput);
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(sweep.run(subject.networks[next++ % kArchitectures]).data());
  }
  state.SetItemsProcessed(state.iterations());
}

void latency_of_all_schedules(benchmark::State& state, const char* file) {
  const Subject subject(file);
  const LatencyModel model = subject.model();
  ScheduleSweep sweep(subject.space.schedules.patch_grids, subject.space.schedules.split_points,
                      kInput);
  ScheduleLatency latency(model);
  std::vector<std::vector<ScheduleCosts>> schedules;
  for (const Network& network : subject.networks) {
    const std::span<const ScheduleCosts> costs = sweep.run(network);
    schedules.emplace_back(costs.begin(), costs.end());
  }
  std::size_t next = 0;
  const auto judge = [&] {
    const std::size_t i = next++ % kArchitectures;
    latency.assign(subject.networks[i]);
    double least = 1e300;
    for (const ScheduleCosts& costs : schedules[i]) {
      least = std::min(least, latency.total(costs.grid, costs.split_layer));
    }
    benchmark::DoNotOptimize(least);
  };
  for (int i = 0; i < kArchitectures; ++i) {
    judge();  // a search sees operators again and again
  }
  for (auto _ : state) {
    judge();
  }
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK_CAPTURE(memory_of_all_schedules, fashion_mnist_32kb, kFashionMnist);
BENCHMARK_CAPTURE(latency_of_all_schedules, fashion_mnist_32kb, kFashionMnist);
BENCHMARK_CAPTURE(memory_of_all_schedules, mcunet_160, kMcunet160);
BENCHMARK_CAPTURE(latency_of_all_schedules, mcunet_160, kMcunet160);

}  // namespace
}  // namespace patchnas::benchmarks
