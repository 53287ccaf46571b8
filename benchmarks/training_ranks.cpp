// What compare_ranks runs, which has the usage: training steps of one rank, timed on request.
//
//   training_ranks SPACE.yaml BATCH THREADS FOLDER
//     for every line on standard input takes one step of four random subnets and prints its
//     seconds, those of them spent waiting for other ranks, the processor's, and the seconds that
//     summing a gradient takes while nothing else runs; its first line are a gradient's bytes
//
// Several ranks are told so by the environment, and meet in FOLDER.

#include <chrono>
#include <cstdio>
#include <ctime>
#include <exception>
#include <iostream>
#include <string>

#include <torch/torch.h>

#include "arch/arch.h"
#include "arch/base/error.h"
#include "supernet/network/threads.h"
#include "supernet/training/gradient_reducer.h"
#include "supernet/training/trainer.h"

namespace patchnas {
namespace {

constexpr int kNetworks = 4;
constexpr int kImages = 4096;

ImageSet random_images(const SearchSpace& space) {
  const int side = space.resolutions.back();
  ImageSet set{side, side, space.input_channels, space.classes, {}, {}};
  RandomStream stream(1, "benchmark/images");
  for (int i = 0; i < kImages; ++i) {
    set.labels.push_back(
        static_cast<std::int32_t>(stream.below(static_cast<std::uint64_t>(space.classes))));
  }
  set.pixels.resize(set.labels.size() * set.image_bytes());
  for (std::uint8_t& pixel : set.pixels) {
    pixel = static_cast<std::uint8_t>(stream.below(256));
  }
  return set;
}

template <typename Work>
double seconds_of(const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void run(const std::string& space_file, int batch, int threads, const std::string& folder) {
  set_threads(threads);
  YamlReader reader = YamlReader::parse_file(space_file);
  const SearchSpace space = parse_search_space(reader.map("space"));
  ProcessGroup group(rank_from_environment(), folder, std::chrono::minutes(5));
  const MemoryImages images(random_images(space));
  Supernet supernet(space, 1);
  TrainerConfig config;
  config.batch_size = batch;
  config.epochs = 1e6;
  config.augmentation = {.shift_pixels = 4, .flip = true};
  Trainer trainer(random_recipe(supernet, kNetworks), images, config, &group);
  const at::Tensor gradient = at::zeros_like(supernet.parameters());
  GradientReducer reducer(group, gradient, config.bucket_bytes);
  trainer.train_step();
  std::cout << gradient.nbytes() << std::endl;  // NOLINT: the other end waits for it
  for (std::string line; std::getline(std::cin, line);) {
    group.sum(at::zeros({1}));  // all ranks are there
    const std::clock_t before = std::clock();
    const double step = seconds_of([&] { trainer.train_step(); });
    const double processor = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
    group.sum(at::zeros({1}));
    const double sum = seconds_of([&] {
      reducer.begin({});
      reducer.finish();
    });
    std::cout << step << ' ' << trainer.last_step().rank_seconds << ' ' << processor << ' ' << sum
              << std::endl;  // NOLINT
  }
}

}  // namespace
}  // namespace patchnas

int main(int argc, char** argv) {
  try {
    if (argc != 5) {
      throw patchnas::InputError("usage: training_ranks SPACE.yaml BATCH THREADS FOLDER");
    }
    patchnas::run(argv[1], std::stoi(argv[2]), std::stoi(argv[3]), argv[4]);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "training_ranks: %s\n", error.what());
    return 1;
  }
}
