// How fast candidates are judged: architectures of a space, lowered, with all their patch
// schedules.

#include <benchmark/benchmark.h>

#include "arch/arch.h"
#include "memory_models/memory_models.h"
#include "memory_models/schedule_sweep.h"

namespace patchnas {
namespace {

SearchSpace main_space() {
  YamlReader file = YamlReader::parse_file(PATCHNAS_SOURCE_DIR "/configs/fashion_mnist_32kb.yaml");
  return parse_search_space(file.map("space"));
}

std::vector<Architecture> architectures(const SearchSpace& space) {
  RandomStream stream(1, "benchmark/architectures");
  std::vector<Architecture> drawn;
  for (int i = 0; i < 64; ++i) {
    drawn.push_back(sample(space, stream));
  }
  return drawn;
}

void judge_all_schedules(benchmark::State& state, MemoryModel model) {
  const SearchSpace space = main_space();
  const std::vector<Architecture> drawn = architectures(space);
  std::size_t next = 0;
  std::int64_t schedules = 0;
  for (auto _ : state) {
    const Network network = lower(space, drawn[next++ % drawn.size()]);
    for (const PatchSchedule& schedule :
         enumerate_schedules(network, space.patch_grids, space.split_points)) {
      benchmark::DoNotOptimize(
          memory_report(network, schedule, model, InputMode::kResident).peak_sram_bytes);
      benchmark::DoNotOptimize(scheduled_macs(network, schedule));
      ++schedules;
    }
    benchmark::DoNotOptimize(flash_report(network, {}, Core::kCortexM4).total_bytes());
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["schedules/candidate"] =
      static_cast<double>(schedules) / static_cast<double>(state.iterations());
}

void sample_and_lower(benchmark::State& state) {
  const SearchSpace space = main_space();
  RandomStream stream(1, "benchmark/sample");
  for (auto _ : state) {
    benchmark::DoNotOptimize(lower(space, sample(space, stream)));
  }
  state.SetItemsProcessed(state.iterations());
}

void sweep_schedules(benchmark::State& state) {
  const SearchSpace space = main_space();
  const std::vector<Architecture> drawn = architectures(space);
  std::vector<Network> networks;
  for (const Architecture& architecture : drawn) {
    networks.push_back(lower(space, architecture));
  }
  ScheduleSweep sweep(space.patch_grids, space.split_points, InputMode::kResident);
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(sweep.run(networks[next++ % drawn.size()]).data());
  }
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK(sweep_schedules);
BENCHMARK(sample_and_lower);
BENCHMARK_CAPTURE(judge_all_schedules, deployed, MemoryModel::kDeployed);
BENCHMARK_CAPTURE(judge_all_schedules, mcunetv2, MemoryModel::kMcunetV2);

}  // namespace
}  // namespace patchnas
