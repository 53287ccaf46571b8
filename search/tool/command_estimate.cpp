// nas_search estimate: costs of one architecture or reference network under a schedule.

#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>

#include "arch/base/error.h"
#include "search/base/files.h"
#include "search/config/config.h"
#include "search/config/network_file.h"
#include "search/engine/candidate_filter.h"
#include "search/engine/latency_file.h"
#include "search/engine/schedule_chooser.h"
#include "search/engine/sram_advice.h"
#include "search/report/memory_map.h"
#include "search/report/memory_plot.h"
#include "search/report/report.h"
#include "search/tool/commands.h"
#include "search/tool/folding_option.h"
#include "search/tool/target_options.h"

namespace patchnas {
namespace {

struct EstimateOptions {
  std::string network;
  std::string config;
  std::vector<std::string> assignments;
  std::string architecture;
  std::optional<int> resolution;
  std::optional<double> width;
  TargetOptions target;
  bool pareto = false;
  bool every_schedule = false;
  std::string plot;
  std::string map;
  Folding folding = Folding::kExact;
};

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

/// What is estimated: a network of a file, or an architecture of a configuration.
struct Subject {
  Network network;
  std::string assumption;
  FoldedParts folded;
  ScheduleSpace schedules;
  Target target = kUnlimitedTarget;
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
    NetworkFile file = read_network_file(options.network, {.resolution = options.resolution,
                                                           .width = options.width,
                                                           .assignments = options.assignments,
                                                           .folding = options.folding});
    subject.network = std::move(file.network);
    subject.assumption = std::move(file.assumption);
    subject.folded = std::move(file.folded);
    subject.schedules = options.target.schedules({});
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
    subject.schedules = options.target.schedules(config.space.schedules);
    subject.target = config.target;
  }
  subject.target = options.target.target(subject.target);
  return subject;
}

SramWays sram_ways(const EstimateOptions& options) {
  SramWays ways = options.target.sram_ways();
  if (!options.config.empty() && !ways.more_patches.empty()) {
    ways.more_patches = kConfigSramWays.more_patches;
  }
  return ways;
}

EstimateExtras asked_extras(const EstimateOptions& options, const Subject& subject,
                            ScheduleChooser& chooser) {
  EstimateExtras extras{.assumption = subject.assumption, .folded = subject.folded};
  if (options.pareto) {
    extras.pareto = pareto_front(chooser.all(subject.network));
  }
  if (options.every_schedule) {
    extras.every_schedule = chooser.all(subject.network);
  }
  return extras;
}

std::string text_of(const NetworkEstimate& estimate, const EstimateExtras& extras,
                    const std::string& limits) {
  std::string text = estimate.table();
  if (!extras.folded.empty()) {
    text += "folded         " + folded_text(extras.folded) + "\n";
  }
  if (!extras.assumption.empty()) {
    text += "assumption     " + extras.assumption + "\n";
  }
  if (has_limits(estimate.target)) {
    text += "limits         " + limits + "\n";
  }
  const auto add = [&](const char* title, const std::vector<ScheduleChoice>& choices) {
    text += std::string("\n") + title + ", SRAM by " +
            std::string(to_string(estimate.target.memory_model)) + ":\n" +
            tradeoff_table(estimate.network, choices);
  };
  if (extras.pareto) {
    add("less SRAM for more MACs", *extras.pareto);
  }
  if (extras.every_schedule) {
    add("every schedule", *extras.every_schedule);
  }
  return text;
}

void estimate_network(const EstimateOptions& options) {
  const Subject subject = read_subject(options);
  const Target& target = subject.target;
  const std::unique_ptr<LatencyModel> latency = latency_model_for(target);
  ScheduleChooser chooser(subject.schedules, target, latency.get());
  const Unasked unasked =
      !options.config.empty() || has_limits(target) ? Unasked::kBest : Unasked::kLayerByLayer;
  const NetworkEstimate estimate(subject.network,
                                 options.target.schedule(subject.network, chooser, unasked), target,
                                 latency.get());
  const EstimateExtras extras = asked_extras(options, subject, chooser);
  const std::string& source = options.config.empty() ? options.network : options.config;
  const std::string title = std::filesystem::path(source).stem().string();
  if (!options.plot.empty()) {
    write_file(
        options.plot,
        memory_plot(estimate, target.memory_model,
                    target.sram_bytes < kNoLimit ? std::optional(target.sram_bytes) : std::nullopt,
                    title));
  }
  if (!options.map.empty()) {
    write_file(options.map, memory_map(estimate, title));
  }
  const CandidateCosts costs = estimate.costs();
  const std::string limits = compare_with_limits(costs, target, chooser.latency_unit());
  std::cout << (options.target.json() ? estimate_report(estimate, extras)
                                      : text_of(estimate, extras, limits));
  if (!meets_limits(costs, target)) {
    throw InfeasibleError(
        source + ": does not fit the limits: " + limits +
        sram_advice(subject.network, costs, target, subject.schedules, sram_ways(options)));
  }
}

}  // namespace

void add_estimate_command(CLI::App& app) {
  const auto options = std::make_shared<EstimateOptions>();
  CLI::App* command = app.add_subcommand(
      "estimate", "Costs of one network under a patch schedule: MACs, SRAM, flash");
  command
      ->add_option("--network", options->network,
                   "A .tflite or .onnx file (int8 or float), a JSON network description, a YAML "
                   "space of one "
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
  add_folding_option(*command, options->folding)->needs("--network");
  options->target.declare(*command);
  CLI::Option* pareto = command->add_flag(
      "--pareto", options->pareto, "Add every schedule that no other beats in both SRAM and MACs");
  command->add_flag("--every-schedule", options->every_schedule, "Add every schedule")
      ->excludes(pareto);
  command->add_option("--plot", options->plot, "Draw the layers' memory, with and without patches")
      ->type_name("FILE.svg");
  command
      ->add_option("--map", options->map,
                   "Draw the places of all buffers in the arena, layer by layer and as scheduled")
      ->type_name("FILE.svg");
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
