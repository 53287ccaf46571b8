// Which BLAS should the set-up install? The kernels in which LibTorch calls BLAS, by themselves,
// and one training step of a small MobileNet-like network, where most work is oneDNN's and not
// BLAS's. docs/setup.md has the command that runs this under each BLAS, and the figures.

#include <thread>

#include <benchmark/benchmark.h>
#include <torch/torch.h>

namespace {

namespace nn = torch::nn;

constexpr int kBatch = 64;

void use_all_cores() {
  // LibTorch alone would take half of the cores of an x86 machine.
  at::set_num_threads(static_cast<int>(std::thread::hardware_concurrency()));
}

/// Matrix product [m, k] x [k, n]: what a fully connected layer and im2col convolutions come down
/// to.
void matrix_product(benchmark::State& state) {
  use_all_cores();
  torch::NoGradGuard no_grad;
  const auto m = state.range(0);
  const auto k = state.range(1);
  const auto n = state.range(2);
  const auto a = torch::randn({m, k});
  const auto b = torch::randn({k, n});
  for (auto _ : state) {
    benchmark::DoNotOptimize(torch::mm(a, b));
  }
  state.counters["flop/s"] = benchmark::Counter(static_cast<double>(2 * m * k * n),
                                                benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(matrix_product)
    ->Args({512, 512, 512})
    ->Args({kBatch, 128, 10})       // the classifier
    ->Args({96, 16, kBatch * 784})  // a 1x1 expansion at 28x28 over the whole batch
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();

void append_inverted_residual(nn::Sequential& net, int in, int expanded, int out, int stride) {
  const auto depthwise =
      nn::Conv2dOptions(expanded, expanded, 3).stride(stride).padding(1).groups(expanded);
  net->push_back(nn::Conv2d(nn::Conv2dOptions(in, expanded, 1).bias(false)));
  net->push_back(nn::BatchNorm2d(expanded));
  net->push_back(nn::ReLU6());
  net->push_back(nn::Conv2d(nn::Conv2dOptions(depthwise).bias(false)));
  net->push_back(nn::BatchNorm2d(expanded));
  net->push_back(nn::ReLU6());
  net->push_back(nn::Conv2d(nn::Conv2dOptions(expanded, out, 1).bias(false)));
  net->push_back(nn::BatchNorm2d(out));
}

nn::Sequential small_mobilenet() {
  nn::Sequential net(nn::Conv2d(nn::Conv2dOptions(1, 16, 3).padding(1).bias(false)),
                     nn::BatchNorm2d(16), nn::ReLU6());
  append_inverted_residual(net, 16, 64, 24, 1);
  append_inverted_residual(net, 24, 96, 24, 2);
  append_inverted_residual(net, 24, 96, 40, 2);
  net->push_back(nn::AdaptiveAvgPool2d(1));
  net->push_back(nn::Flatten());
  net->push_back(nn::Linear(40, 128));
  net->push_back(nn::ReLU6());
  net->push_back(nn::Linear(128, 10));
  return net;
}

/// Forward, backward and optimiser step on a batch of [64, 1, 28, 28].
void training_step(benchmark::State& state) {
  use_all_cores();
  torch::manual_seed(1);
  auto net = small_mobilenet();
  torch::optim::SGD optimizer(net->parameters(), torch::optim::SGDOptions(0.01).momentum(0.9));
  const auto images = torch::randn({kBatch, 1, 28, 28});
  const auto labels = torch::randint(10, {kBatch}, torch::kLong);
  for (auto _ : state) {
    optimizer.zero_grad();
    torch::nn::functional::cross_entropy(net->forward(images), labels).backward();
    optimizer.step();
  }
  state.counters["images/s"] =
      benchmark::Counter(kBatch, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(training_step)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
