// nas_search prepare: checks a configuration's data set and builds its caches, before any machine
// time is spent on training.

#include <iostream>
#include <memory>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include "search/commands.h"
#include "search/config.h"
#include "search/data_progress.h"
#include "search/stop_signal.h"
#include "supernet/data_source.h"
#include "supernet/parallel.h"

namespace patchnas {
namespace {

/// "training     45000 images: 4500 4497 ..."
std::string line(const char* name, const ImageStore& images) {
  constexpr int kMostClasses = 20;
  std::vector<int> counts(static_cast<std::size_t>(images.classes()));
  for (int i = 0; i < images.size(); ++i) {
    ++counts[static_cast<std::size_t>(images.label(i))];
  }
  std::string text =
      fmt::format("{:<12}{:>9} images of {} classes", name, images.size(), counts.size());
  if (images.classes() <= kMostClasses) {
    text += ":";
    for (const int count : counts) {
      text += fmt::format(" {}", count);
    }
  }
  return text;
}

void prepare(const Config& config) {
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  fused::set_thread_count(config.threads == 0 ? cores : config.threads);
  check_data_files(config.data, console_observer());
  const TrainingData data = load_training_data(config.data, config.seed, console_observer());
  const auto test = load_test_images(config.data, console_observer());
  std::cout << line("training", *data.training) << "\n"
            << line("validation", *data.validation) << "\n"
            << line("test", *test) << "\n";
}

}  // namespace

void add_prepare_command(CLI::App& app) {
  struct Options {
    std::string config;
    std::vector<std::string> assignments;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "prepare", "Checks the data set of a configuration, and decodes its images into the cache");
  command
      ->add_option("--config", options->config,
                   "Configuration: a file, or the name of one in configs/")
      ->required()
      ->type_name("NAME");
  command
      ->add_option("--set", options->assignments,
                   "Override a key, as data.path=/data/coco; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command->footer(R"(
Examples:
  nas_search prepare --config fashion_mnist_32kb.yaml
  nas_search prepare --config vww_32kb.yaml --set data.path=/data/coco
)");
  command->callback([options] {
    install_stop_signals();
    prepare(read_config(options->config, options->assignments));
  });
}

}  // namespace patchnas
