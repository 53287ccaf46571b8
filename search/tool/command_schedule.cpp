// nas_search schedule: a C package of somebody's int8 network, under the best schedule that fits.

#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "arch/base/error.h"
#include "deploy/package/c_package.h"
#include "deploy/tflite/tflite_import.h"
#include "search/base/text.h"
#include "search/config/model_file.h"
#include "search/engine/latency_file.h"
#include "search/engine/schedule_chooser.h"
#include "search/engine/schedule_selector.h"
#include "search/engine/sram_advice.h"
#include "search/package/package_files.h"
#include "search/report/estimate.h"
#include "search/tool/commands.h"
#include "search/tool/option_names.h"
#include "search/tool/size_option.h"

namespace patchnas {
namespace {

const SramWays kOptionSramWays{.streamed = "--input streamed",
                               .more_patches = "--max-patches " + std::to_string(kAdvisedPatches)};

struct ScheduleOptions {
  std::string model;
  std::string folder;
  std::string name;
  std::int64_t sram_bytes = kNoLimit;
  std::int64_t flash_bytes = kNoLimit;
  std::string input = std::string(to_string(InputMode::kResident));
  std::string core = std::string(to_string(Core::kCortexM4));
  int max_patches = 4;
  std::string latency_table;
};

void schedule_model(const ScheduleOptions& options) {
  const std::filesystem::path folder = options.folder;
  require_package_place(folder);
  const std::string model = read_model_file(options.model);
  const QuantizedNetwork network = import_tflite(
      {reinterpret_cast<const std::uint8_t*>(model.data()), model.size()}, options.model);
  const Target target{.sram_bytes = options.sram_bytes,
                      .flash_bytes = options.flash_bytes,
                      .input = named(kInputModes, options.input),
                      .core = named(kCores, options.core),
                      .latency_table = options.latency_table};
  const std::unique_ptr<LatencyModel> latency = latency_model_for(target);
  const std::vector<TileGrid> grids = grids_up_to(options.max_patches);
  ScheduleChooser chooser(grids, SplitPoints::kLayers, target, latency.get());
  const ScheduleChoice choice = chooser.choose(network.network);
  if (!choice.fits) {
    throw InfeasibleError(options.model + ": no schedule fits; the one of least SRAM, " +
                          describe(network.network, choice.schedule) + ", " +
                          compare_with_limits(choice.costs, target, chooser.latency_unit()) +
                          sram_advice(network.network, choice.costs, target, grids,
                                      SplitPoints::kLayers, kOptionSramWays));
  }
  const std::string name =
      options.name.empty() ? c_package_name(std::filesystem::path(options.model).stem().string())
                           : options.name;
  const CPackage package = make_c_package(network, choice.schedule, target.input, name);
  const NetworkEstimate estimate(network.network, choice.schedule, target, latency.get());
  nlohmann::ordered_json report = estimate.json();
  report["package"] = name;
  report["limits"] = nlohmann::ordered_json::object();
  if (target.sram_bytes < kNoLimit) {
    report["limits"]["sram_bytes"] = target.sram_bytes;
  }
  if (target.flash_bytes < kNoLimit) {
    report["limits"]["flash_bytes"] = target.flash_bytes;
  }
  write_package(package, folder, {{"model.tflite", model}, {"report.json", report.dump(2) + "\n"}});
  std::cout << "schedule  " << describe(network.network, choice.schedule) << "\n"
            << "SRAM      " << with_separators(package.arena_bytes) << " bytes, input "
            << options.input << "\n"
            << "flash     " << with_separators(choice.costs.flash_bytes) << " bytes, estimated for "
            << options.core << "\n"
            << "MACs      " << millions_text(choice.costs.macs) << ", layer by layer "
            << millions_text(network_macs(network.network)) << "\n"
            << (latency != nullptr
                    ? "latency   " + latency_text(*choice.costs.latency, latency->unit(), target) +
                          ", estimated\n"
                    : "")
            << "files     " << (folder / (name + ".h")).string() << ", README.md, report.json\n";
}

}  // namespace

void add_schedule_command(CLI::App& app) {
  const auto options = std::make_shared<ScheduleOptions>();
  CLI::App* command = app.add_subcommand(
      "schedule", "A C package of an int8 .tflite file, under the best schedule that fits");
  command->add_option("model", options->model, "An int8 .tflite file, anybody's")
      ->required()
      ->type_name("MODEL.tflite");
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
  command
      ->add_option(
          "--sram", options->sram_bytes,
          "Limit, as 64KiB; of the schedules that fit the one of least MACs is taken, or of "
          "least latency with --latency-table")
      ->required()
      ->transform(byte_size())
      ->type_name("BYTES");
  command->add_option("--flash", options->flash_bytes, "Limit, as 1MiB")
      ->transform(byte_size())
      ->type_name("BYTES");
  command->add_option("--input", options->input, "Whether the whole image sits in SRAM")
      ->check(CLI::IsMember(names_of(kInputModes)))
      ->capture_default_str();
  command->add_option("--core", options->core, "The processor whose code is counted as flash")
      ->check(CLI::IsMember(names_of(kCores)))
      ->capture_default_str();
  command
      ->add_option("--latency-table", options->latency_table,
                   "Ranks schedules by latency; a file, or the name of a shipped table, as "
                   "cortex-m7")
      ->type_name("TABLE");
  command
      ->add_option("--max-patches", options->max_patches, "Patches along each axis that are tried")
      ->check(CLI::Range(1, kLargestGrid))
      ->capture_default_str()
      ->type_name("P");
  command->footer(R"(
Examples:
  nas_search schedule model.tflite --sram 64KiB --out model_64kib
  nas_search schedule model.tflite --sram 0.5MiB --flash 1MiB --input streamed --out package
  nas_search schedule b.tflite --sram 32KiB --name wakeword --latency-table cortex-m7 --core cortex-m7 --out b
)");
  command->callback([options] { schedule_model(*options); });
}

}  // namespace patchnas
