// nas_search without a subcommand: the whole run, from images to int8.

#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include "arch/error.h"
#include "search/commands.h"
#include "search/config.h"
#include "search/console.h"
#include "search/data_progress.h"
#include "search/files.h"
#include "search/latency_file.h"
#include "search/report.h"
#include "search/schedule_stage.h"
#include "search/stop_signal.h"
#include "search/torch_job.h"

namespace patchnas {
namespace {

struct SearchOptions {
  std::string config;
  std::string resume;
  std::vector<std::string> assignments;
  std::string device;
  std::string threads;
  std::string runs_folder;
  int rank_timeout = 600;
};

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
  ScheduleSelector selector(config.space, config.target, latency.get());
  const Evolution first_generation(config.search, selector, config.seed);
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

void search(const SearchOptions& options) {
  if (options.config.empty() == options.resume.empty()) {
    throw InputError("needs --config NAME or --resume DIR, and not both; see nas_search --help");
  }
  install_stop_signals();
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

}  // namespace

void add_search_command(CLI::App& app) {
  const auto options = std::make_shared<SearchOptions>();
  app.add_option("--config", options->config,
                 "Configuration: a file, or the name of one in configs/")
      ->type_name("NAME");
  app.add_option("--resume", options->resume, "Continue a run, with its own configuration")
      ->type_name("DIR");
  app.add_option("--set", options->assignments,
                 "Override a key, as search.population=50; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_option("--device", options->device, "auto, cpu or cuda")->type_name("NAME");
  app.add_option("--threads", options->threads,
                 "Computing threads of each process; 0 for its share of the cores")
      ->type_name("N");
  app.add_option("--runs-dir,--out", options->runs_folder,
                 "Folder that holds the run directories; default: runs")
      ->type_name("DIR");
  app.add_option("--rank-timeout", options->rank_timeout,
                 "Seconds after which a rank that does not answer is lost; default: 600")
      ->type_name("SECONDS")
      ->check(CLI::Range(1, 86400));
  app.callback([&app, options] {
    if (app.get_subcommands().empty()) {
      search(*options);
    }
  });
}

}  // namespace patchnas
