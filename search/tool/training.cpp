// What needs LibTorch.

#include "search/tool/training.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include "arch/base/error.h"
#include "search/base/console.h"
#include "search/base/files.h"
#include "search/base/stop_signal.h"
#include "search/config/config.h"
#include "search/engine/latency_file.h"
#include "search/package/export_network.h"
#include "search/package/package_files.h"
#include "search/report/report.h"
#include "search/run/standalone_stage.h"
#include "search/stages/data_progress.h"
#include "search/stages/torch_job.h"
#include "search/stages/torch_stages.h"
#include "search/tool/labelled_images.h"
#include "supernet/data/data_source.h"
#include "supernet/data/data_split.h"
#include "supernet/data/evaluation_images.h"
#include "supernet/network/threads.h"

namespace patchnas {
namespace {

std::vector<std::string> machine_assignments(const SearchOptions& options) {
  std::vector<std::string> assignments;
  if (!options.device.empty()) {
    assignments.push_back("device=" + options.device);
  }
  if (!options.threads.empty()) {
    assignments.push_back("threads=" + options.threads);
  }
  return assignments;
}

Config requested_config(const SearchOptions& options) {
  std::vector<std::string> assignments = options.assignments;
  for (std::string& assignment : machine_assignments(options)) {
    assignments.push_back(std::move(assignment));
  }
  if (!options.runs_folder.empty()) {
    assignments.push_back("output=" + options.runs_folder);
  }
  return read_config(options.config, assignments);
}

/// Hours of training are worth nothing if no architecture fits, and data that is not there is
/// better missed now.
void check_before_start(const Config& config) {
  check_data_files(config.data, console_observer());
  if (config.training.recipe == TrainingRecipe::kStandalone) {
    only_candidate(config);
    return;
  }
  const std::unique_ptr<LatencyModel> latency = latency_model_for(config.target);
  CandidateFilter filter(config.space, config.target, latency.get());
  const Evolution first_generation(config.search, filter, config.seed);
}

/// @param config as requested, where it is no --resume; it may come from a pipe and be read once
RunDirectory open_run(const SearchOptions& options, const std::optional<Config>& config) {
  if (!options.resume.empty()) {
    if (!options.assignments.empty() || !options.runs_folder.empty()) {
      throw InputError(
          "--resume continues a run with its own configuration: --set and --runs-dir cannot be "
          "given with it");
    }
    return RunDirectory::resume(options.resume, machine_assignments(options));
  }
  if (!RunDirectory::exists(config->run_directory())) {
    check_before_start(*config);  // before anything is written
  }
  return RunDirectory::start(*config);
}

RunDirectory opened_run(const SearchOptions& options, const std::optional<Config>& config) {
  RunDirectory run = open_run(options, config);
  log_to_file(run.log_file());
  const std::string architectures = count_architectures(run.config().space);
  spdlog::info("{} {}: seed {}, {}", run.resumed() ? "resuming" : "starting", run.path().string(),
               run.config().seed,
               architectures == "1" ? "1 architecture" : architectures + " architectures");
  for (const std::string& warning : run.warnings()) {
    spdlog::warn("{}", warning);
  }
  if (run.resumed() && run.status(StageId::kExport) != StageStatus::kDone) {
    check_before_start(run.config());
  }
  return run;
}

/// That holds the run directory.
std::filesystem::path runs_folder(const SearchOptions& options,
                                  const std::optional<Config>& config) {
  return config ? std::filesystem::path(config->output)
                : (std::filesystem::absolute(options.resume) / "..").lexically_normal();
}

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
  set_threads(config.threads);
  check_data_files(config.data, console_observer());
  const TrainingData data = load_training_data(config.data, config.seed, console_observer());
  const auto test = load_test_images(config.data, console_observer());
  std::cout << line("training", *data.training) << "\n"
            << line("validation", *data.validation) << "\n"
            << line("test", *test) << "\n";
}

}  // namespace

void require_training(const std::string& /*what*/) {}

void run_search(const SearchOptions& options) {
  if (options.config.empty() == options.resume.empty()) {
    throw InputError(kSearchNeeds);
  }
  install_stop_signals(WhenStopped::kContinues);
  const std::optional<Config> config =
      options.config.empty() ? std::nullopt : std::optional(requested_config(options));
  run_job({.meeting_folder = runs_folder(options, config),
           .timeout = std::chrono::seconds(options.rank_timeout),
           .open = [&] { return opened_run(options, config); },
           .report =
               [](const RunDirectory& run) {
                 const std::filesystem::path report = run.export_folder() / "report.json";
                 std::cout << last_screen(read_file(report), report.string(), run.export_folder());
               }});
}

void run_export(const ExportOptions& options) {
  install_stop_signals(WhenStopped::kContinues);
  if (!options.folder.empty()) {
    require_export_place(options.folder);
  }
  RunDirectory run = RunDirectory::read(options.run);
  if (run.writes()) {
    log_to_file(run.log_file());
  }
  for (const std::string& warning : run.warnings()) {
    spdlog::warn("{}", warning);
  }
  const std::filesystem::path folder =
      export_again(run, {.candidate_id = options.candidate_id,
                         .folder = options.folder,
                         .dumped_test_images = options.dumped_test_images});
  const std::filesystem::path report = folder / "report.json";
  std::cout << last_screen(read_file(report), report.string(), folder);
}

void run_prepare(const PrepareOptions& options) {
  install_stop_signals(WhenStopped::kContinues);
  prepare(read_config(options.config, options.assignments));
}

ImageSet images_of_folder(const FolderOptions& options, const TensorShape& shape) {
  constexpr int kMaxCorruptImages = 10;
  const std::vector<std::string> names =
      options.classes.empty() ? std::vector<std::string>{} : read_class_names(options.classes);
  const LabelledImages images =
      images_of_folder(options.folder, names, shape.channels, kMaxCorruptImages);
  return evaluation_images(*images.store,
                           stratified_sample(*images.store, options.count, options.seed), shape,
                           options.fit, throw_if_stopped);
}

void compute_in(int threads) { set_threads(threads); }

std::vector<std::int8_t> quantised_test_images(const DataConfig& data, int resolution, int count) {
  const ImageSet test =
      evaluation_images(*load_test_images(data, console_observer()), resolution, data.crop_ratio);
  return stored_pixels(test, 0, std::min(count, test.size()));
}

}  // namespace patchnas
