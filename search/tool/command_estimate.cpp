// nas_search estimate: costs of one architecture or reference network under a schedule.

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "arch/base/error.h"
#include "search/base/files.h"
#include "search/config/config.h"
#include "search/config/network_file.h"
#include "search/engine/latency_file.h"
#include "search/engine/schedule_chooser.h"
#include "search/engine/schedule_selector.h"
#include "search/engine/sram_advice.h"
#include "search/report/estimate.h"
#include "search/report/memory_plot.h"
#include "search/report/schedule_tradeoff.h"
#include "search/tool/commands.h"
#include "search/tool/option_names.h"
#include "search/tool/size_option.h"

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
  std::string schedule;
  int max_patches = 4;
  std::optional<std::int64_t> sram_bytes;
  std::optional<std::int64_t> flash_bytes;
  std::string memory_model;
  std::string input;
  std::string core;
  bool pareto = false;
  bool every_schedule = false;
  std::string device;
  std::string latency_table;
  std::string plot;
  bool json = false;
};

TileGrid parse_grid(const std::string& text) {
  const std::optional<TileGrid> grid = parse_tile_grid(text);
  if (!grid) {
    throw InputError("--patches " + text + ": must be P or PHxPW, whole numbers from 1 to " +
                     std::to_string(kLargestGrid));
  }
  return *grid;
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

/// What is estimated: a network of a file, or an architecture of a configuration.
struct Subject {
  Network network;
  std::string assumption;
  std::vector<TileGrid> grids;
  SplitPoints split_points = SplitPoints::kLayers;
  Target target{.sram_bytes = kNoLimit, .flash_bytes = kNoLimit};

  [[nodiscard]] bool has_limits() const {
    return target.sram_bytes < kNoLimit || target.flash_bytes < kNoLimit ||
           target.max_macs < kNoLimit;
  }
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
    subject.grids = grids_up_to(options.max_patches);
  } else {
    if (options.width) {
      throw InputError("--width: needs --network FILE; a configuration says its own widths");
    }
    std::vector<std::string> assignments = options.assignments;
    if (options.resolution) {
      assignments.push_back("space.resolution=[" + std::to_string(*options.resolution) + "]");
    }
    Config config = read_config(options.config, assignments);
    subject.network = lower(config.space, named_architecture(config.space, options.architecture));
    subject.grids = config.space.patch_grids;
    subject.split_points = config.space.split_points;
    subject.target = config.target;
  }
  Target& target = subject.target;
  if (!options.device.empty()) {
    const Target device = read_device(options.device);
    target.sram_bytes = device.sram_bytes;
    target.flash_bytes = device.flash_bytes;
    target.core = device.core;
    target.clock_mhz = device.clock_mhz;
    target.instructions_per_cycle = device.instructions_per_cycle;
  }
  if (!options.latency_table.empty()) {
    target.latency_table = options.latency_table;
  }
  target.sram_bytes = options.sram_bytes.value_or(target.sram_bytes);
  target.flash_bytes = options.flash_bytes.value_or(target.flash_bytes);
  if (!options.input.empty()) {
    target.input = named(kInputModes, options.input);
  }
  if (!options.core.empty()) {
    target.core = named(kCores, options.core);
  }
  if (!options.memory_model.empty()) {
    target.memory_model = named(kMemoryModels, options.memory_model);
  }
  return subject;
}

/// The given schedule, or layer by layer; where one is to be chosen, what the search would choose:
/// of those that fit the one of least MACs, else the one of least SRAM.
PatchSchedule schedule_for(const EstimateOptions& options, const Subject& subject,
                           ScheduleChooser& chooser) {
  const bool is_given = !options.patches.empty();
  if (!is_given && (options.split_block || options.split_layer)) {
    throw InputError("--split-block and --split-layer: need --patches P");
  }
  if (is_given && options.schedule == "best") {
    throw InputError("--schedule best: chooses the patches; give either it or --patches");
  }
  if (is_given) {
    return given_schedule(options, subject.network);
  }
  const bool choose = options.schedule.empty() ? !options.config.empty() || subject.has_limits()
                                               : options.schedule == "best";
  if (!choose) {
    return PatchSchedule::layer_by_layer();
  }
  if (!subject.has_limits()) {
    return pareto_front(chooser.all(subject.network)).back().schedule;
  }
  return chooser.choose(subject.network).schedule;
}

SramWays sram_ways(const EstimateOptions& options) {
  SramWays ways = options.config.empty() ? SramWays{} : kConfigSramWays;
  ways.streamed = "--input streamed";
  if (options.config.empty()) {
    ways.more_patches = "--max-patches " + std::to_string(kAdvisedPatches);
  }
  if (!options.patches.empty() || options.schedule == "layer-by-layer") {
    ways = {.best_schedule = "--schedule best"};
  }
  return ways;
}

/// What --pareto or --every-schedule ask for.
std::vector<ScheduleChoice> asked_tradeoff(const EstimateOptions& options, const Subject& subject,
                                           ScheduleChooser& chooser) {
  if (options.pareto) {
    return pareto_front(chooser.all(subject.network));
  }
  return options.every_schedule ? chooser.all(subject.network) : std::vector<ScheduleChoice>{};
}

void print_json(const EstimateOptions& options, const Subject& subject,
                const NetworkEstimate& estimate, const CandidateCosts& costs,
                const std::vector<ScheduleChoice>& tradeoff) {
  nlohmann::ordered_json json = estimate.json();
  if (!subject.assumption.empty()) {
    json["assumption"] = subject.assumption;
  }
  if (subject.has_limits()) {
    json["fits"] = meets_limits(costs, subject.target);
  }
  if (options.pareto || options.every_schedule) {
    json[options.pareto ? "pareto" : "schedules"] = tradeoff_json(subject.network, tradeoff);
  }
  std::cout << json.dump(2) << "\n";
}

void print_table(const EstimateOptions& options, const Subject& subject,
                 const NetworkEstimate& estimate, const std::string& limits,
                 const std::vector<ScheduleChoice>& tradeoff) {
  std::cout << estimate.table();
  if (!subject.assumption.empty()) {
    std::cout << "assumption     " << subject.assumption << "\n";
  }
  if (subject.has_limits()) {
    std::cout << "limits         " << limits << "\n";
  }
  if (options.pareto || options.every_schedule) {
    std::cout << (options.pareto ? "\nless SRAM for more MACs" : "\nevery schedule") << ", SRAM by "
              << to_string(subject.target.memory_model) << ":\n"
              << tradeoff_table(subject.network, tradeoff);
  }
}

void estimate_network(const EstimateOptions& options) {
  const Subject subject = read_subject(options);
  const Target& target = subject.target;
  const std::unique_ptr<LatencyModel> latency = latency_model_for(target);
  ScheduleChooser chooser(subject.grids, subject.split_points, target, latency.get());
  const PatchSchedule schedule = schedule_for(options, subject, chooser);
  const NetworkEstimate estimate(subject.network, schedule, target, latency.get());
  const std::vector<ScheduleChoice> tradeoff = asked_tradeoff(options, subject, chooser);
  const std::string& source = options.config.empty() ? options.network : options.config;
  if (!options.plot.empty()) {
    write_file(
        options.plot,
        memory_plot(estimate, target.memory_model,
                    target.sram_bytes < kNoLimit ? std::optional(target.sram_bytes) : std::nullopt,
                    std::filesystem::path(source).stem().string()));
  }
  const CandidateCosts costs = costs_of(subject.network, schedule, target, latency.get());
  const std::string limits = compare_with_limits(costs, target, chooser.latency_unit());
  if (options.json) {
    print_json(options, subject, estimate, costs, tradeoff);
  } else {
    print_table(options, subject, estimate, limits, tradeoff);
  }
  if (subject.has_limits() && !meets_limits(costs, target)) {
    throw InfeasibleError(source + ": does not fit the limits: " + limits +
                          sram_advice(subject.network, costs, target, subject.grids,
                                      subject.split_points, sram_ways(options)));
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
  command->add_option("--patches", options->patches, "Patches, P for P x P; 1 is layer by layer")
      ->type_name("P|PHxPW");
  CLI::Option* split_block = command
                                 ->add_option("--split-block", options->split_block,
                                              "The stem and the first N blocks run as patches")
                                 ->type_name("N");
  command->add_option("--split-layer", options->split_layer, "The first N layers run as patches")
      ->type_name("N")
      ->excludes(split_block);
  command
      ->add_option("--schedule", options->schedule,
                   "best: of the schedules that fit the limits the one of least MACs, else the one "
                   "of least SRAM. The default with limits; without them layer-by-layer")
      ->check(CLI::IsMember({"best", "layer-by-layer"}));
  command
      ->add_option("--max-patches", options->max_patches,
                   "With --network: patches along each axis that are tried")
      ->check(CLI::Range(1, kLargestGrid))
      ->capture_default_str()
      ->type_name("P");
  command->add_option("--sram", options->sram_bytes, "Limit, as 128KiB")
      ->transform(byte_size())
      ->type_name("BYTES");
  command->add_option("--flash", options->flash_bytes, "Limit, as 1MiB")
      ->transform(byte_size())
      ->type_name("BYTES");
  command
      ->add_option("--memory-model", options->memory_model,
                   "By which SRAM is limited, traded and drawn; deployed unless the configuration "
                   "says otherwise")
      ->check(CLI::IsMember(names_of(kMemoryModels)));
  command->add_option("--input", options->input, "Whether the whole image sits in SRAM")
      ->check(CLI::IsMember(names_of(kInputModes)));
  command
      ->add_option("--device", options->device,
                   "SRAM, flash, core and clock of a microcontroller, as stm32h743 "
                   "(configs/targets/); --sram, --flash and --core go before it")
      ->type_name("NAME");
  command
      ->add_option("--latency-table", options->latency_table,
                   "Adds latency, and ranks schedules by it; a file, or the name of a shipped "
                   "table, as cortex-m7")
      ->type_name("TABLE");
  command->add_option("--core", options->core, "The processor whose code is counted as flash")
      ->check(CLI::IsMember(names_of(kCores)));
  CLI::Option* pareto = command->add_flag(
      "--pareto", options->pareto, "Add every schedule that no other beats in both SRAM and MACs");
  command->add_flag("--every-schedule", options->every_schedule, "Add every schedule")
      ->excludes(pareto);
  command->add_option("--plot", options->plot, "Draw the layers' memory, with and without patches")
      ->type_name("FILE.svg");
  command->add_flag("--json", options->json, "One JSON object on standard output");
  command->footer(R"(
Examples:
  nas_search estimate --network mobilenet_v2 --patches 4 --split-block 4
  nas_search estimate --network model.tflite --sram 128KiB --input streamed --pareto --plot memory.svg
  nas_search estimate --network net.json --device stm32h743 --latency-table cortex-m7 --json
  nas_search estimate --config fashion_mnist_32kb.yaml --architecture smallest

Exits with 3 if limits are known and the network does not fit them under the schedule.
)");
  command->callback([options] { estimate_network(*options); });
}

}  // namespace patchnas
