// How fast a search gives candidates their schedules: of patches alone, as MCUNetV2 published them,
// and of all, rows cached or not, with the arena of what is chosen planned and its flash counted.
//
//   schedule_chooser_benchmark --benchmark_counters_tabular=true
//
// items_per_second are candidates. Limits are tight: few candidates fit layer by layer.

#include <benchmark/benchmark.h>

#include "benchmarks/candidates.h"
#include "search/engine/candidate_filter.h"

namespace patchnas::benchmarks {
namespace {

constexpr int kArchitectures = 64;
constexpr const char* kFashionMnist = PATCHNAS_SOURCE_DIR "/configs/fashion_mnist_32kb.yaml";
constexpr const char* kMcunet160 = PATCHNAS_SOURCE_DIR "/benchmarks/mcunet_160.yaml";

void choose_schedules(benchmark::State& state, const char* file, ScheduleFamily family,
                      std::int64_t kib) {
  SearchSpace space = read_space(file);
  space.schedules.family = family;
  const std::vector<Architecture> architectures = random_architectures(space, kArchitectures);
  CandidateFilter filter(space,
                         {.sram_bytes = kib * 1024,
                          .flash_bytes = kNoLimit,
                          .input = InputMode::kStreamed,
                          .core = kCore},
                         nullptr);
  std::size_t next = 0;
  double fitting = 0;
  for (auto _ : state) {
    fitting += filter.judge(architectures[next++ % kArchitectures]).fits ? 1 : 0;
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["fitting"] = fitting / static_cast<double>(state.iterations());
}

constexpr ScheduleFamily kPatches = ScheduleFamily::kPatches;
constexpr ScheduleFamily kAll = ScheduleFamily::kBoth;

BENCHMARK_CAPTURE(choose_schedules, fashion_mnist_8kib_patches, kFashionMnist, kPatches, 8);
BENCHMARK_CAPTURE(choose_schedules, fashion_mnist_8kib_all, kFashionMnist, kAll, 8);
BENCHMARK_CAPTURE(choose_schedules, fashion_mnist_16kib_patches, kFashionMnist, kPatches, 16);
BENCHMARK_CAPTURE(choose_schedules, fashion_mnist_16kib_all, kFashionMnist, kAll, 16);
BENCHMARK_CAPTURE(choose_schedules, mcunet_160_64kib_patches, kMcunet160, kPatches, 64);
BENCHMARK_CAPTURE(choose_schedules, mcunet_160_64kib_all, kMcunet160, kAll, 64);

}  // namespace
}  // namespace patchnas::benchmarks
