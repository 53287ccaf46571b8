// What a checkpoint costs the training: the snapshot, which a step waits for, and the rest, which
// another thread does. Argument: parameters in thousands; a state is three floats a parameter
// (weights, momentum, average). TMPDIR chooses the disk.
//
//   checkpoint_benchmark --benchmark_counters_tabular=true

#include <cstdlib>
#include <filesystem>

#include <ATen/core/Tensor.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/zeros.h>
#include <benchmark/benchmark.h>

#include "search/base/process.h"
#include "search/run/checkpoint.h"
#include "supernet/training/trainer.h"

namespace patchnas {
namespace {

Optimiser optimiser_of(std::int64_t parameters) {
  return {at::rand({parameters}), at::zeros({parameters}), {.ema_decay = 0.999}};
}

void count_bytes(benchmark::State& state, std::size_t bytes) {
  state.counters["MB"] = static_cast<double>(bytes) / 1e6;
}

void BM_Snapshot(benchmark::State& state) {
  const Optimiser optimiser = optimiser_of(1000 * state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(TrainerSnapshot{"benchmark", optimiser.state()});
  }
  count_bytes(state, TrainerSnapshot{"benchmark", optimiser.state()}.bytes().size());
}

void BM_Bytes(benchmark::State& state) {
  const TrainerSnapshot snapshot{"benchmark", optimiser_of(1000 * state.range(0)).state()};
  std::string bytes;
  for (auto _ : state) {
    bytes = snapshot.bytes();
    benchmark::DoNotOptimize(bytes.data());
  }
  count_bytes(state, bytes.size());
}

void BM_Write(benchmark::State& state) {
  const std::string bytes =
      TrainerSnapshot{"benchmark", optimiser_of(1000 * state.range(0)).state()}.bytes();
  const TemporaryFolder folder;
  const CheckpointStore store(folder.path(), "benchmark");
  std::int64_t step = 0;
  for (auto _ : state) {
    store.save(++step, bytes);
  }
  count_bytes(state, bytes.size());
}

BENCHMARK(BM_Snapshot)->Arg(100)->Arg(1000)->Arg(10000)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_Bytes)->Arg(100)->Arg(1000)->Arg(10000)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_Write)->Arg(100)->Arg(1000)->Arg(10000)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace patchnas
