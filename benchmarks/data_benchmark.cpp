// Images per second that the loader makes, and the share of a training step that waits for them.
//
//   data_benchmark
//   PATCHNAS_IMAGE_FOLDER=/data/flowers data_benchmark       # with folders train/CLASS/*.jpg

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include <benchmark/benchmark.h>

#include "supernet/data/batch_loader.h"
#include "supernet/data/class_folders.h"
#include "supernet/data/data_source.h"
#include "supernet/network/threads.h"
#include "supernet/training/trainer.h"

namespace patchnas {
namespace {

constexpr int kBatch = 128;

enum class Source { kFashionMnist, kCached, kStreamed };

struct Setting {
  DataConfig config;
  std::unique_ptr<const PartOfImages> images;
  std::string problem;
};

Setting open(Source source, int resolution) {
  Setting setting;
  DataConfig& config = setting.config;
  config.validation_images = 100;
  config.largest_resolution = resolution;
  config.cache = (std::filesystem::temp_directory_path() / "patchnas_data_benchmark").string();
  try {
    if (source != Source::kFashionMnist) {
      const char* const folder = std::getenv("PATCHNAS_IMAGE_FOLDER");
      if (folder == nullptr) {
        throw InputError("PATCHNAS_IMAGE_FOLDER names no folder of images");
      }
      config.kind = DataKind::kImageFolder;
      config.path = folder;
      config.channels = 3;
      config.classes = static_cast<int>(folders_in(config.path + "/train").size());
      config.augmentation = default_augmentation(config.kind);
      config.crop_ratio = default_crop_ratio(config.kind);
      config.cache_bytes = source == Source::kCached ? config.cache_bytes : 0;
    }
    setting.images = load_training_data(config, 1).training;
  } catch (const InputError& error) {
    setting.problem = error.what();
  }
  return setting;
}

Augmenter augmenter(const DataConfig& config) {
  return {config.normalisation, config.augmentation, config.crop_ratio};
}

/// Arguments: workers (0: the caller alone), resolution.
void load(benchmark::State& state, Source source) {
  set_threads(0);
  const int resolution = static_cast<int>(state.range(1));
  const Setting setting = open(source, resolution);
  if (!setting.images) {
    state.SkipWithError(setting.problem.c_str());
    return;
  }
  BatchLoader loader(*setting.images, augmenter(setting.config), 1,
                     static_cast<int>(state.range(0)));
  RandomStream stream(1, "benchmark/indices");
  int number = 0;
  const auto request = [&] {
    BatchRequest batch{.resolution = resolution, .stream = std::to_string(number++)};
    for (int i = 0; i < kBatch; ++i) {
      batch.indices.push_back(
          static_cast<int>(stream.below(static_cast<std::uint64_t>(setting.images->size()))));
    }
    loader.request(std::move(batch));
  };
  for (int i = 0; i < BatchLoader::kBatchesAhead; ++i) {
    request();
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(loader.take());
    request();
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}

StageSpace stage(int stride, int depth, int expand_ratio, int width) {
  StageSpace s;
  s.stride = stride;
  s.depths = {depth};
  s.kernel_sizes = {3};
  s.expand_ratios = {expand_ratio};
  s.widths = {width};
  return s;
}

/// Steps of training a small network. Arguments: workers, resolution.
void train(benchmark::State& state, Source source) {
  set_threads(0);
  const int resolution = static_cast<int>(state.range(1));
  const Setting setting = open(source, resolution);
  if (!setting.images) {
    state.SkipWithError(setting.problem.c_str());
    return;
  }
  SearchSpace space;
  space.input_channels = setting.config.channels;
  space.classes = setting.config.classes;
  space.resolutions = {resolution};
  space.stem_stride = resolution > 32 ? 2 : 1;
  space.stages = {stage(1, 1, 3, 16), stage(2, 2, 4, 24), stage(2, 2, 4, 40)};
  Subnet subnet(lower(space, largest(space)), 1);
  TrainerConfig config;
  config.epochs = 1000;
  config.learning_rate = 0.01;
  config.augmentation = setting.config.augmentation;
  config.crop_ratio = setting.config.crop_ratio;
  config.data_workers = static_cast<int>(state.range(0));
  Trainer trainer(subnet_recipe(subnet), *setting.images, config);
  trainer.train_step();
  double waited = 0.0;
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) {
    trainer.train_step();
    waited += trainer.last_step().data_seconds;
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  state.SetItemsProcessed(state.iterations() * kBatch);
  state.counters["waiting_percent"] = 100.0 * waited / seconds;
}

BENCHMARK_CAPTURE(load, fashion_mnist, Source::kFashionMnist)
    ->Args({0, 28})
    ->Args({1, 28})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(load, cached, Source::kCached)
    ->Args({0, 64})
    ->Args({1, 64})
    ->Args({2, 64})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(load, streamed, Source::kStreamed)
    ->Args({0, 64})
    ->Args({1, 64})
    ->Args({2, 64})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(train, fashion_mnist, Source::kFashionMnist)
    ->Args({0, 28})
    ->Args({1, 28})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(train, cached, Source::kCached)
    ->Args({0, 64})
    ->Args({1, 64})
    ->Args({2, 64})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(train, streamed, Source::kStreamed)
    ->Args({1, 64})
    ->Args({2, 64})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace patchnas
