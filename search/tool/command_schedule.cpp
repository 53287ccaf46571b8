// nas_search schedule: a C package of somebody's int8 network, under the best schedule that fits.

#include <filesystem>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>

#include "arch/base/error.h"
#include "arch/block_recognition.h"
#include "deploy/package/c_package.h"
#include "deploy/prepare/prepare.h"
#include "search/base/text.h"
#include "search/config/model_file.h"
#include "search/config/model_import.h"
#include "search/engine/candidate_filter.h"
#include "search/engine/latency_file.h"
#include "search/engine/schedule_chooser.h"
#include "search/engine/sram_advice.h"
#include "search/package/package_files.h"
#include "search/report/report.h"
#include "search/tool/commands.h"
#include "search/tool/folding_option.h"
#include "search/tool/target_options.h"

namespace patchnas {
namespace {

struct ScheduleOptions {
  std::string model;
  std::string folder;
  std::string name;
  Folding folding = Folding::kExact;
  TargetOptions target;
};

Target target_of(const ScheduleOptions& options) {
  Target target = options.target.target(kUnlimitedTarget);
  if (!has_limits(target) && !options.target.ask_for_schedule()) {
    throw InputError(
        "schedule: needs --sram BYTES or --device NAME, which the package is to fit, or a "
        "schedule: --patches P or --schedule best|layer-by-layer");
  }
  return target;
}

/// Where the schedule does not fit the limits.
std::string complaint(const ScheduleOptions& options, const NetworkEstimate& estimate,
                      const std::string& limits) {
  const std::string schedule = describe(estimate.network, estimate.schedule);
  return options.model +
         (options.target.name_schedule() ? ": does not fit the limits: "
                                         : ": no schedule fits; the one of least SRAM, ") +
         schedule + ", " + limits;
}

std::string text_of(const NetworkEstimate& estimate, const FoldedParts& folded,
                    const CPackage& package) {
  const Target& target = estimate.target;
  const CandidateCosts costs = estimate.costs();
  std::string text = folded.empty() ? "" : "folded    " + folded_text(folded) + "\n";
  text += "schedule  " + describe(estimate.network, estimate.schedule) + "\n" + "SRAM      " +
          with_separators(package.arena_bytes) + " bytes, input " +
          std::string(to_string(target.input)) + "\n";
  if (target.memory_model != MemoryModel::kDeployed) {
    text += "limited   " + with_separators(costs.sram_bytes) + " bytes by " +
            std::string(to_string(target.memory_model)) + "\n";
  }
  text += "flash     " + with_separators(costs.flash_bytes) + " bytes, estimated for " +
          std::string(to_string(target.core)) + "\n" +  //
          "MACs      " + millions_text(costs.macs) + ", layer by layer " +
          millions_text(network_macs(estimate.network)) + "\n";
  if (costs.latency) {
    text += "latency   " + latency_text(*costs.latency, estimate.latency_unit, target) +
            ", estimated\n";
  }
  return text;
}

void schedule_model(const ScheduleOptions& options) {
  const std::filesystem::path folder = options.folder;
  const Target target = target_of(options);
  require_package_place(folder);
  const std::string model = read_model_file(options.model);
  const Preparation prepared = prepare(import_model(model, options.model), options.folding);
  Network network = prepared.network.network;
  recognise_blocks(network);  // for --split-block and for people
  const std::unique_ptr<LatencyModel> latency = latency_model_for(target);
  const ScheduleSpace schedules = options.target.schedules({});
  ScheduleChooser chooser(schedules, target, latency.get());
  const PatchSchedule schedule = options.target.schedule(network, chooser, Unasked::kBest);
  const NetworkEstimate estimate(network, schedule, target, latency.get());
  const CandidateCosts costs = estimate.costs();
  if (!meets_limits(costs, target)) {
    throw InfeasibleError(
        complaint(options, estimate, compare_with_limits(costs, target, chooser.latency_unit())) +
        sram_advice(network, costs, target, schedules, options.target.sram_ways()));
  }
  const std::string name =
      options.name.empty() ? c_package_name(std::filesystem::path(options.model).stem().string())
                           : options.name;
  const CPackage package = make_c_package(prepared.network, schedule, target.input, name);
  const std::string report = package_report(estimate, prepared.removed, name);
  const std::string copy = "model." + std::string(to_string(model_form(model, options.model)));
  write_package(package, folder, {{copy, model}, {"report.json", report}});
  std::cout << (options.target.json()
                    ? report
                    : text_of(estimate, prepared.removed, package) + "files     " +
                          (folder / (name + ".h")).string() + ", README.md, report.json\n");
}

}  // namespace

void add_schedule_command(CLI::App& app) {
  const auto options = std::make_shared<ScheduleOptions>();
  CLI::App* command = app.add_subcommand(
      "schedule",
      "A C package of an int8 .tflite or .onnx file, under the best schedule that fits");
  command
      ->add_option("model", options->model,
                   "An int8 .tflite file, or .onnx file in QDQ form, anybody's")
      ->required()
      ->type_name("MODEL");
  command
      ->add_option("--out", options->folder,
                   "Folder that gets the package, report.json and a copy of the model; a package "
                   "that is there is replaced")
      ->required()
      ->type_name("DIR");
  command
      ->add_option("--name", options->name,
                   "Begins the names of files and symbols; default: after the model's file")
      ->type_name("NAME");
  add_folding_option(*command, options->folding);
  options->target.declare(*command);
  command->footer(R"(
Examples:
  nas_search schedule model.tflite --sram 64KiB --out model_64kib
  nas_search schedule model.tflite --sram 0.5MiB --flash 1MiB --input streamed --out package
  nas_search schedule model.tflite --device stm32h743 --latency-table cortex-m7 --out package --json
  nas_search schedule model.tflite --patches 3 --split-layer 7 --name wakeword --out wakeword

First it leaves out what is the same for every input, which changes no byte of the output.
Of the schedules that fit the limits it takes the one of least MACs, or of least latency with
--latency-table. Exits with 3, and writes nothing, if none does or the one that is given does not.
)");
  command->callback([options] { schedule_model(*options); });
}

}  // namespace patchnas
