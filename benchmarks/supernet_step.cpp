// Images per second of what training and evaluation spend their time on: the fused kernels against
// LibTorch's operators, same network, same batch, all cores.
//
//   supernet_step --benchmark_counters_tabular=true

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "deploy/quantise/fold_batch_norm.h"
#include "deploy/quantise/quantise.h"
#include "supernet/network/compute.h"
#include "supernet/network/folded_subnet.h"
#include "supernet/network/loss.h"
#include "supernet/network/supernet.h"
#include "supernet/network/threads.h"

namespace patchnas {
namespace {

constexpr int kBatch = 128;

StageSpace stage(int stride, int depth, int kernel_size, int expand_ratio, int width) {
  StageSpace s;
  s.stride = stride;
  s.depths = {depth};
  s.kernel_sizes = {kernel_size};
  s.expand_ratios = {expand_ratio};
  s.widths = {width};
  return s;
}

// Two networks for 28x28 grey images: about 5 million MACs at full resolution, 1.6 million behind a
// strided stem.
Subnet make_subnet(int stem_stride) {
  SearchSpace space;
  space.input_channels = 1;
  space.classes = 10;
  space.resolutions = {28};
  space.stem_stride = stem_stride;
  space.stages = {stage(1, 1, 3, 3, 16), stage(2, 2, stem_stride == 1 ? 3 : 5, 4, 24),
                  stage(2, 2, 5, 4, 40)};
  return Subnet(lower(space, largest(space)), 1);
}

Batch make_batch(const Network& network) {
  RandomStream stream(1, "benchmark/batch");
  Batch batch;
  batch.images.resize(static_cast<std::size_t>(kBatch * network.input.elements()));
  for (float& value : batch.images) {
    value = static_cast<float>(3.0 * stream.uniform() - 1.5);
  }
  for (int i = 0; i < kBatch; ++i) {
    batch.labels.push_back(static_cast<std::int32_t>(stream.below(10)));
  }
  return batch;
}

void report(benchmark::State& state, const Network& network) {
  state.SetItemsProcessed(state.iterations() * kBatch);
  state.counters["MMACs"] = static_cast<double>(network_macs(network)) * 1e-6;
}

void forward_and_backward(benchmark::State& state, Backend backend) {
  set_threads(0);
  const Subnet subnet = make_subnet(static_cast<int>(state.range(0)));
  const Batch batch = make_batch(subnet.network());
  const at::Tensor gradient = subnet.parameters().clone();
  const at::Tensor labels = torch::tensor(batch.labels, torch::kLong);
  const Goal goal{labels, smoothed_labels(labels, 10, 0.1)};
  Compute compute(backend);
  for (auto _ : state) {
    compute.add_gradients(subnet.network(), subnet.layers(), batch, goal, 1.0,
                          carve(subnet.network(), gradient));
  }
  report(state, subnet.network());
}

// A step of quantisation-aware training, quantisation of the weights included.
void quantised_forward_and_backward(benchmark::State& state, Backend backend) {
  set_threads(0);
  const Subnet subnet = make_subnet(static_cast<int>(state.range(0)));
  const std::vector<ValueRange> ranges(static_cast<std::size_t>(subnet.network().tensor_count()),
                                       {-4.0F, 6.0F});
  const FoldedSubnet folded(fold_batch_norm(subnet.to_float_network()), ranges);
  const Batch batch = make_batch(subnet.network());
  const at::Tensor gradient = folded.parameters().clone();
  const at::Tensor labels = torch::tensor(batch.labels, torch::kLong);
  const Goal goal{labels, smoothed_labels(labels, 10, 0.1)};
  Compute compute(backend);
  for (auto _ : state) {
    compute.add_quantised_gradients(
        quantise(folded.to_float_network(), ranges, {.pixels = PixelNormalisation{}}),
        folded.layers(), batch, goal, 1.0, carve(folded.network(), gradient, TrainedForm::kFolded));
  }
  report(state, subnet.network());
}

void inference(benchmark::State& state, Backend backend) {
  set_threads(0);
  const Subnet subnet = make_subnet(static_cast<int>(state.range(0)));
  const Batch batch = make_batch(subnet.network());
  const std::int64_t elements = subnet.network().input.elements();
  Compute compute(backend);
  const auto source = [&](int begin, int end, float* target) {
    std::copy(batch.images.begin() + begin * elements, batch.images.begin() + end * elements,
              target);
  };
  for (auto _ : state) {
    benchmark::DoNotOptimize(compute.logits(subnet.network(), subnet.layers(), source, kBatch));
  }
  report(state, subnet.network());
}

BENCHMARK_CAPTURE(forward_and_backward, fused, Backend::kAuto)
    ->Arg(1)
    ->Arg(2)
    ->ArgName("stem_stride")
    ->UseRealTime();
BENCHMARK_CAPTURE(forward_and_backward, libtorch, Backend::kLibTorch)
    ->Arg(1)
    ->Arg(2)
    ->ArgName("stem_stride")
    ->UseRealTime();
BENCHMARK_CAPTURE(quantised_forward_and_backward, fused, Backend::kAuto)
    ->Arg(1)
    ->Arg(2)
    ->ArgName("stem_stride")
    ->UseRealTime();
BENCHMARK_CAPTURE(quantised_forward_and_backward, libtorch, Backend::kLibTorch)
    ->Arg(1)
    ->Arg(2)
    ->ArgName("stem_stride")
    ->UseRealTime();
BENCHMARK_CAPTURE(inference, fused, Backend::kAuto)
    ->Arg(1)
    ->Arg(2)
    ->ArgName("stem_stride")
    ->UseRealTime();
BENCHMARK_CAPTURE(inference, libtorch, Backend::kLibTorch)
    ->Arg(1)
    ->Arg(2)
    ->ArgName("stem_stride")
    ->UseRealTime();

}  // namespace
}  // namespace patchnas
