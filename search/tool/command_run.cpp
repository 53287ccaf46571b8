// nas_search run: an exported package on one input.

#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "arch/base/error.h"
#include "deploy/reference/end_numbers.h"
#include "search/base/files.h"
#include "search/base/stop_signal.h"
#include "search/package/package_runner.h"
#include "search/tool/commands.h"
#include "search/tool/option_names.h"
#include "search/tool/run_target_options.h"

namespace patchnas {
namespace {

struct RunOptions {
  std::string folder;
  std::string target;
  std::string rounding{to_string(Rounding::kDouble)};
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  bool json = false;
};

void require_as_many(const std::vector<std::string>& files, const std::vector<EndFormat>& ends,
                     const std::string& option, const std::string& package) {
  if (files.size() != ends.size()) {
    throw InputError(option + ": " + std::to_string(files.size()) + " given; " + package + " has " +
                     std::to_string(ends.size()));
  }
}

// In the order of the package's inputs, as int8.
std::vector<std::int8_t> read_inputs(const RunOptions& options, const PackageFolder& package,
                                     Arithmetic arithmetic) {
  std::string all;
  for (std::size_t i = 0; i < package.inputs.size(); ++i) {
    const EndFormat& format = package.inputs[i];
    const std::string bytes = read_file(options.inputs[i]);
    const std::size_t expected = bytes_of(std::span(&format, 1));
    if (bytes.size() != expected) {
      throw InputError(options.inputs[i] + ": has " + std::to_string(bytes.size()) + " bytes; " +
                       package.name + " reads " + std::to_string(expected) + ": " +
                       std::to_string(format.elements) + " " +
                       std::string(to_string(format.end.numbers)) + " numbers");
    }
    all += bytes;
  }
  return to_int8({reinterpret_cast<const std::uint8_t*>(all.data()), all.size()}, package.inputs,
                 arithmetic);
}

void run_package(const RunOptions& options) {
  install_stop_signals(WhenStopped::kBeginsAnew);
  const PackageFolder package(options.folder);
  require_as_many(options.inputs, package.inputs, "--input", package.name);
  require_as_many(options.outputs, package.outputs, "--output", package.name);
  const Arithmetic arithmetic = arithmetic_of(named(kRoundings, options.rounding));
  const std::vector<std::int8_t> inputs = read_inputs(options, package, arithmetic);
  const RunTarget target = named(kRunTargets, options.target);
  const PackageRunner runner(package, target, named(kRoundings, options.rounding), Profiling::kOff);
  const PackageRun run = runner.run(inputs);
  const std::vector<std::uint8_t> all = from_int8(run.outputs, package.outputs, arithmetic);
  std::string_view rest(reinterpret_cast<const char*>(all.data()), all.size());
  for (std::size_t i = 0; i < package.outputs.size(); ++i) {
    const std::size_t bytes = bytes_of(std::span(&package.outputs[i], 1));
    write_file(options.outputs[i], rest.substr(0, bytes));
    rest.remove_prefix(bytes);
  }
  const PackageFigures figures = runner.figures(run, 1);
  std::cout << (options.json ? figures_report(figures) : table(figures));
}

}  // namespace

void add_run_command(CLI::App& app) {
  const auto options = std::make_shared<RunOptions>();
  CLI::App* command =
      app.add_subcommand("run", "An exported C package on one input, on the host or emulated");
  command
      ->add_option("dir", options->folder,
                   "Folder of the package, or one with it in c/ or export/c/")
      ->required()
      ->type_name("DIR");
  add_run_target_options(*command, options->target, options->rounding)->required();
  command
      ->add_option(
          "--input", options->inputs,
          "Raw image [H, W, C] in the numbers of the package's .tflite file: int8, uint8 or "
          "float32 (little-endian), as its package.json says; once for each input, in the file's "
          "order")
      ->required()
      ->allow_extra_args(false)
      ->type_name("IN.bin");
  command
      ->add_option("--output", options->outputs,
                   "Gets the raw output, in the file's numbers as well; once for each output")
      ->required()
      ->allow_extra_args(false)
      ->type_name("OUT.bin");
  command->add_flag("--json", options->json, "One JSON object on standard output");
  command->footer(R"(
Examples:
  nas_search run model_64kib --target cortex-m4 --input image.bin --output scores.bin
  nas_search run runs/fashion_mnist_32kb --target host --input image.bin --output scores.bin --json
)");
  command->callback([options] { run_package(*options); });
}

}  // namespace patchnas
