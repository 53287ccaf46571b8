// One side of compare_training, which has the usage: training steps of given networks, timed on
// request.
//
//   training_step draw SPACE.yaml COUNT
//     prints COUNT random architectures of the space, one a line
//   training_step run SPACE.yaml SIDE BATCH THREADS
//     reads architectures up to an empty line, then for every further line takes one step with each
//     and prints the seconds of all; SIDE is
//       fused     subnets of a supernet, by our kernels
//       libtorch  the same by LibTorch's operators
//       static    a plain LibTorch module and optimiser for each of the networks

#include <chrono>
#include <cstdio>
#include <functional>
#include <iostream>
#include <span>
#include <string>

#include <torch/torch.h>

#include "arch/arch.h"
#include "arch/base/error.h"
#include "supernet/network/compute.h"
#include "supernet/network/loss.h"
#include "supernet/network/supernet.h"
#include "supernet/network/threads.h"
#include "supernet/training/optimiser.h"

namespace patchnas {
namespace {

namespace nn = torch::nn;

constexpr double kRate = 0.01;
constexpr double kMomentum = 0.9;
constexpr double kDecay = 4e-5;
constexpr double kSmoothing = 0.1;

using Step = std::function<void()>;

// As a person would write it: an inverted residual of MobileNetV2.
struct InvertedResidualImpl : nn::Module {
  InvertedResidualImpl(int in, int out, const BlockChoice& block, int stride)
      : residual(stride == 1 && in == out) {
    const int expanded = in * block.expand_ratio;
    if (block.expand_ratio != 1) {
      append(in, expanded, 1, 1, 1);
      body->push_back(nn::ReLU6(nn::ReLU6Options().inplace(true)));
    }
    append(expanded, expanded, block.kernel_size, stride, expanded);
    body->push_back(nn::ReLU6(nn::ReLU6Options().inplace(true)));
    append(expanded, out, 1, 1, 1);
    register_module("body", body);
  }
  void append(int in, int out, int kernel, int stride, int groups) {
    body->push_back(nn::Conv2d(nn::Conv2dOptions(in, out, kernel)
                                   .stride(stride)
                                   .padding(kernel / 2)
                                   .groups(groups)
                                   .bias(false)));
    body->push_back(nn::BatchNorm2d(out));
  }
  at::Tensor forward(const at::Tensor& x) {
    return residual ? x + body->forward(x) : body->forward(x);
  }

  bool residual;
  nn::Sequential body;
};
TORCH_MODULE(InvertedResidual);

void append_convolution(nn::Sequential& net, int in, int out, int kernel, int stride) {
  net->push_back(nn::Conv2d(
      nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false)));
  net->push_back(nn::BatchNorm2d(out));
  net->push_back(nn::ReLU6(nn::ReLU6Options().inplace(true)));
}

nn::Sequential static_module(const SearchSpace& space, const Architecture& architecture) {
  nn::Sequential net;
  append_convolution(net, space.input_channels, space.stem_width, space.stem_kernel_size,
                     space.stem_stride);
  int channels = space.stem_width;
  for (std::size_t stage = 0; stage < architecture.stages.size(); ++stage) {
    int stride = space.stages[stage].stride;
    for (const BlockChoice& block : architecture.stages[stage]) {
      net->push_back(InvertedResidual(channels, block.width, block, stride));
      channels = block.width;
      stride = 1;
    }
  }
  if (space.head_width > 0) {
    append_convolution(net, channels, space.head_width, 1, 1);
    channels = space.head_width;
  }
  net->push_back(nn::AdaptiveAvgPool2d(1));
  net->push_back(nn::Flatten());
  net->push_back(nn::Linear(channels, space.classes));
  return net;
}

Batch random_batch(const Network& network, int size) {
  RandomStream stream(1, "benchmark/batch");
  Batch batch;
  batch.images.resize(static_cast<std::size_t>(size * network.input.elements()));
  for (float& value : batch.images) {
    value = static_cast<float>(3.0 * stream.uniform() - 1.5);
  }
  for (int i = 0; i < size; ++i) {
    batch.labels.push_back(static_cast<std::int32_t>(
        stream.below(static_cast<std::uint64_t>(network.output().channels))));
  }
  return batch;
}

std::vector<Step> static_steps(const SearchSpace& space, std::span<const Architecture> networks,
                               int size) {
  std::vector<Step> steps;
  for (const Architecture& architecture : networks) {
    nn::Sequential net = static_module(space, architecture);
    auto optimiser = std::make_shared<torch::optim::SGD>(
        net->parameters(),
        torch::optim::SGDOptions(kRate).momentum(kMomentum).nesterov(true).weight_decay(kDecay));
    const Network network = lower(space, architecture);
    const Batch batch = random_batch(network, size);
    const at::Tensor images = image_tensor(batch.images, network.input, size, c10::kCPU);
    const at::Tensor labels = torch::tensor(batch.labels, torch::kLong);
    steps.emplace_back([=]() mutable {
      optimiser->zero_grad();
      const auto options = nn::functional::CrossEntropyFuncOptions().label_smoothing(kSmoothing);
      nn::functional::cross_entropy(net->forward(images), labels, options).backward();
      optimiser->step();
    });
  }
  return steps;
}

std::vector<Step> supernet_steps(const SearchSpace& space, std::span<const Architecture> networks,
                                 int size, Backend backend) {
  struct Shared {
    Shared(const SearchSpace& space, Backend backend)
        : supernet(space, 1),
          compute(backend),
          optimiser(supernet.parameters(), decay_mask(supernet.largest_network()),
                    {.momentum = kMomentum, .weight_decay = kDecay}) {}
    Supernet supernet;
    Compute compute;
    Optimiser optimiser;
  };
  auto shared = std::make_shared<Shared>(space, backend);
  std::vector<Step> steps;
  for (const Architecture& architecture : networks) {
    steps.emplace_back([=, network = lower(space, architecture),
                        batch = random_batch(lower(space, architecture), size)] {
      const at::NoGradGuard no_gradients;
      Optimiser& optimiser = shared->optimiser;
      optimiser.zero_gradient();
      const at::Tensor labels = torch::tensor(batch.labels, torch::kLong);
      const Goal goal{labels, smoothed_labels(labels, network.output().channels, kSmoothing)};
      const BatchLoss loss =
          shared->compute.add_gradients(network, shared->supernet.active(network), batch, goal, 1.0,
                                        shared->supernet.active(network, optimiser.gradient()));
      optimiser.step(kRate, loss.mean, 1e9);
    });
  }
  return steps;
}

int positive(const std::string& text, const char* what) {
  std::size_t end = 0;
  int number = 0;
  try {
    number = std::stoi(text, &end);
  } catch (const std::exception&) {
    end = 0;
  }
  if (end == 0 || end != text.size() || number < 1) {
    throw InputError(std::string(what) + ": " + text + " is not a whole number above 0");
  }
  return number;
}

void draw(const SearchSpace& space, int count) {
  RandomStream stream(1, "benchmark/architectures");
  for (int i = 0; i < count; ++i) {
    std::cout << to_json(sample(space, stream)) << '\n';
  }
}

void run(const SearchSpace& space, const std::string& side, int size, int threads) {
  set_threads(threads);
  if (side != "fused") {
    at::set_num_threads(threads);
  }
  std::vector<Architecture> networks;
  std::string line;
  while (std::getline(std::cin, line) && !line.empty()) {
    networks.push_back(parse_architecture(line, "standard input"));
  }
  const std::vector<Step> steps =
      side == "static" ? static_steps(space, networks, size)
                       : supernet_steps(space, networks, size,
                                        side == "fused" ? Backend::kAuto : Backend::kLibTorch);
  while (std::getline(std::cin, line)) {
    const auto begin = std::chrono::steady_clock::now();
    for (const Step& step : steps) {
      step();
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    std::cout << seconds.count() << std::endl;  // NOLINT: the other end waits for it
  }
}

int run_program(std::span<char*> arguments) {
  const std::vector<std::string> words(arguments.begin() + 1, arguments.end());
  const bool drawing = words.size() == 3 && words[0] == "draw";
  const bool running = words.size() == 5 && words[0] == "run" &&
                       (words[2] == "fused" || words[2] == "libtorch" || words[2] == "static");
  if (!drawing && !running) {
    throw InputError(
        "usage: training_step draw SPACE.yaml COUNT, or training_step run SPACE.yaml "
        "fused|libtorch|static BATCH THREADS");
  }
  YamlReader reader = YamlReader::parse_file(words[1]);
  SearchSpace space = parse_search_space(reader.map("space"));
  space.padding = Padding::kSymmetric;  // the one that convolutions of LibTorch have built in
  if (drawing) {
    draw(space, positive(words[2], "COUNT"));
  } else {
    run(space, words[2], positive(words[3], "BATCH"), positive(words[4], "THREADS"));
  }
  return 0;
}

}  // namespace
}  // namespace patchnas

int main(int argc, char** argv) {
  try {
    return patchnas::run_program(std::span(argv, static_cast<std::size_t>(argc)));
  } catch (const patchnas::InputError& error) {
    std::fprintf(stderr, "training_step: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "training_step: %s\n", error.what());
    return 1;
  }
}
