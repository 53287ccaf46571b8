// nas_search estimate: costs of one architecture or reference network under a schedule.

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "arch/error.h"
#include "search/commands.h"
#include "search/config.h"
#include "search/estimate.h"
#include "search/files.h"
#include "search/network_file.h"
#include "search/schedule_selector.h"

namespace patchnas {
namespace {

struct EstimateOptions {
  std::string network;
  std::string config;
  std::vector<std::string> assignments;
  std::string architecture;
  std::optional<int> resolution;
  std::optional<double> width;
  std::string patches;
  std::optional<int> split_block;
  std::optional<int> split_layer;
  std::string input;
  std::string core;
  bool json = false;
};

/// "3" or "2x4".
TileGrid parse_grid(const std::string& text) {
  const auto fail = [&]() -> TileGrid {
    throw InputError("--patches " + text + ": must be P or PHxPW, whole numbers from 1 to 64");
  };
  TileGrid grid;
  const char* end = text.data() + text.size();
  const auto rows = std::from_chars(text.data(), end, grid.rows);
  if (rows.ec != std::errc()) {
    return fail();
  }
  grid.cols = grid.rows;
  if (rows.ptr != end) {
    const auto cols = *rows.ptr == 'x' ? std::from_chars(rows.ptr + 1, end, grid.cols) : rows;
    if (*rows.ptr != 'x' || cols.ec != std::errc() || cols.ptr != end) {
      return fail();
    }
  }
  return grid.rows < 1 || grid.rows > 64 || grid.cols < 1 || grid.cols > 64 ? fail() : grid;
}

Architecture named_architecture(const SearchSpace& space, const std::string& name) {
  if (name.empty() || name == "largest") {
    return largest(space);
  }
  if (name == "smallest") {
    return smallest(space);
  }
  std::error_code error;
  return std::filesystem::is_regular_file(name, error) ? parse_architecture(read_file(name), name)
                                                       : parse_architecture(name, "--architecture");
}

PatchSchedule given_schedule(const EstimateOptions& options, const Network& network) {
  const TileGrid grid = parse_grid(options.patches);
  if (grid == TileGrid{1, 1}) {
    return PatchSchedule::layer_by_layer();
  }
  if (!options.split_block && !options.split_layer) {
    throw InputError("--patches " + options.patches + ": needs --split-block N or --split-layer N");
  }
  const int split_layer = options.split_layer
                              ? *options.split_layer
                              : split_layer_after_block(network, *options.split_block);
  if (split_layer < 1 || split_layer > network.layer_count()) {
    throw InputError("--split-layer " + std::to_string(split_layer) + ": allowed: 1 to " +
                     std::to_string(network.layer_count()));
  }
  return PatchSchedule::leading(grid, split_layer);
}

/// What is estimated: a network of a file, or an architecture of a configuration with its limits.
struct Subject {
  Network network;
  std::string assumption;
  SearchSpace space;          ///< of the configuration
  Architecture architecture;  ///< of the configuration
  InputMode input = InputMode::kResident;
  Core core = Core::kCortexM4;
  std::optional<Target> target;
};

Subject read_subject(const EstimateOptions& options) {
  if (options.network.empty() == options.config.empty()) {
    throw InputError(
        "estimate: needs --network FILE or --config NAME, and not both; see nas_search estimate "
        "--help");
  }
  Subject subject;
  if (options.config.empty()) {
    if (!options.architecture.empty()) {
      throw InputError("--architecture: needs --config NAME; a network has only one architecture");
    }
    NetworkFile file = read_network_file(options.network,
                                         {options.resolution, options.width, options.assignments});
    subject.network = std::move(file.network);
    subject.assumption = std::move(file.assumption);
  } else {
    if (options.width) {
      throw InputError("--width: needs --network FILE; a configuration says its own widths");
    }
    std::vector<std::string> assignments = options.assignments;
    if (options.resolution) {
      assignments.push_back("space.resolution=[" + std::to_string(*options.resolution) + "]");
    }
    Config config = read_config(options.config, assignments);
    subject.space = std::move(config.space);
    subject.architecture = named_architecture(subject.space, options.architecture);
    subject.network = lower(subject.space, subject.architecture);
    subject.input = config.target.input;
    subject.core = config.target.core;
    subject.target = config.target;
  }
  if (!options.input.empty()) {
    subject.input = options.input == to_string(InputMode::kStreamed) ? InputMode::kStreamed
                                                                     : InputMode::kResident;
  }
  if (!options.core.empty()) {
    subject.core = *std::find_if(std::begin(kCores), std::end(kCores),
                                 [&](Core core) { return to_string(core) == options.core; });
  }
  if (subject.target) {
    subject.target->input = subject.input;
    subject.target->core = subject.core;
  }
  return subject;
}

/// The given schedule; else what the search would choose or what comes closest; else layer by
/// layer.
PatchSchedule schedule_for(const EstimateOptions& options, const Subject& subject) {
  if (!options.patches.empty()) {
    return given_schedule(options, subject.network);
  }
  if (options.split_block || options.split_layer) {
    throw InputError("--split-block and --split-layer: need --patches P");
  }
  if (!subject.target) {
    return PatchSchedule::layer_by_layer();
  }
  const MacCost cost;
  const Selection selection =
      ScheduleSelector(subject.space, *subject.target, cost).select(subject.architecture);
  return selection.candidate ? selection.candidate->schedule : selection.miss->schedule;
}

void print_estimate(const EstimateOptions& options) {
  const Subject subject = read_subject(options);
  const PatchSchedule schedule = schedule_for(options, subject);
  const NetworkEstimate estimate(subject.network, schedule, subject.input, subject.core);
  if (options.json) {
    nlohmann::ordered_json json = estimate.json();
    if (!subject.assumption.empty()) {
      json["assumption"] = subject.assumption;
    }
    std::cout << json.dump(2) << "\n";
    return;
  }
  std::cout << estimate.table();
  if (!subject.assumption.empty()) {
    std::cout << "assumption     " << subject.assumption << "\n";
  }
  if (subject.target) {
    std::cout << "limits         "
              << compare_with_limits(costs_of(subject.network, schedule, *subject.target),
                                     *subject.target)
              << "\n";
  }
}

}  // namespace

void add_estimate_command(CLI::App& app) {
  const auto options = std::make_shared<EstimateOptions>();
  CLI::App* command = app.add_subcommand(
      "estimate", "Costs of one network under a patch schedule: MACs, SRAM, flash");
  command
      ->add_option(
          "--network", options->network,
          "A .tflite file (int8 or float), a JSON network description, a YAML space of one "
          "network, or the name of one in configs/networks/")
      ->type_name("FILE");
  command->add_option("--resolution", options->resolution, "Input height and width")
      ->type_name("R");
  command
      ->add_option("--width", options->width,
                   "With --network: multiplier of the base widths that its YAML states")
      ->type_name("W");
  command->add_option("--config", options->config, "Take the search space of this configuration")
      ->type_name("NAME");
  command->add_option("--set", options->assignments, "Override a key of it; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command
      ->add_option("--architecture", options->architecture,
                   "With --config: largest (the default), smallest, or an architecture's JSON "
                   "(text or file)")
      ->type_name("WHICH");
  command
      ->add_option("--patches", options->patches,
                   "Patches, P for P x P; 1 is layer by layer. Default: layer by layer, with "
                   "--config what the "
                   "search would choose")
      ->type_name("P|PHxPW");
  CLI::Option* split_block = command
                                 ->add_option("--split-block", options->split_block,
                                              "The stem and the first N blocks run as patches")
                                 ->type_name("N");
  command->add_option("--split-layer", options->split_layer, "The first N layers run as patches")
      ->type_name("N")
      ->excludes(split_block);
  command->add_option("--input", options->input, "Whether the whole image sits in SRAM")
      ->check(CLI::IsMember({"resident", "streamed"}));
  std::vector<std::string> cores;
  for (const Core core : kCores) {
    cores.emplace_back(to_string(core));
  }
  command->add_option("--core", options->core, "The processor whose code is counted as flash")
      ->check(CLI::IsMember(cores));
  command->add_flag("--json", options->json, "One JSON object on standard output");
  command->callback([options] { print_estimate(*options); });
}

}  // namespace patchnas
