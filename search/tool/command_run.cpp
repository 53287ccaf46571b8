// nas_search run: an exported package on one input.

#include <iostream>
#include <memory>

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
  std::string input;
  std::string output;
  bool json = false;
};

void run_package(const RunOptions& options) {
  install_stop_signals();
  const PackageFolder package(options.folder);
  const std::string bytes = read_file(options.input);
  const auto& [input_end, input_int8] = package.input_numbers;
  const auto& [output_end, output_int8] = package.output_numbers;
  const auto input_bytes =
      static_cast<std::size_t>(package.input_bytes) * bytes_of(input_end.numbers);
  if (bytes.size() != input_bytes) {
    throw InputError(options.input + ": has " + std::to_string(bytes.size()) + " bytes; " +
                     package.name + " reads " + std::to_string(input_bytes) + ": " +
                     std::to_string(package.input_bytes) + " " +
                     std::string(to_string(input_end.numbers)) + " numbers");
  }
  const RunTarget target = named(kRunTargets, options.target);
  const PackageRunner runner(package, target, named(kRoundings, options.rounding), Profiling::kOff);
  const Arithmetic arithmetic = arithmetic_of(named(kRoundings, options.rounding));
  const std::vector<std::int8_t> image =
      to_int8({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, input_end,
              input_int8, arithmetic);
  const PackageRun run = runner.run(image);
  const std::vector<std::uint8_t> output =
      from_int8(run.outputs, output_end, output_int8, arithmetic);
  write_file(options.output, {reinterpret_cast<const char*>(output.data()), output.size()});
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
  add_run_target_options(*command, options->target, options->rounding);
  command
      ->add_option(
          "--input", options->input,
          "Raw image [H, W, C] in the numbers of the package's .tflite file: int8, uint8 or "
          "float32 (little-endian), as its package.json says")
      ->required()
      ->type_name("IN.bin");
  command
      ->add_option("--output", options->output,
                   "Gets the raw output, in the file's numbers as well")
      ->required()
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
