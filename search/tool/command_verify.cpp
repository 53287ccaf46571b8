// nas_search verify: an exported package against the integer reference and the estimates.

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "arch/base/error.h"
#include "arch/base/random.h"
#include "search/base/files.h"
#include "search/base/stop_signal.h"
#include "search/config/model_file.h"
#include "search/config/model_import.h"
#include "search/package/verify_package.h"
#include "search/report/report_schema.h"
#include "search/run/run_directory.h"
#include "search/tool/commands.h"
#include "search/tool/option_names.h"
#include "search/tool/run_target_options.h"
#include "search/tool/training.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

struct VerifyOptions {
  std::string folder;
  std::string target;
  std::string rounding{to_string(Rounding::kDouble)};
  int images = 10;
  bool json = false;
};

/// The first test images of a run; for a package alone random ones.
std::vector<std::int8_t> images_for(const VerifyOptions& options,
                                    const std::optional<RunDirectory>& run,
                                    const PackageFolder& package, const TensorShape& shape) {
  if (run) {
    return quantised_test_images(run->config().data, shape.height, options.images);
  }
  RandomStream stream(1, "verify");
  std::vector<std::int8_t> pixels(static_cast<std::size_t>(options.images) *
                                  static_cast<std::size_t>(package.input_bytes));
  std::generate(pixels.begin(), pixels.end(),
                [&] { return static_cast<std::int8_t>(stream.next() >> 56); });
  return pixels;
}

/// In the report, if there is one and it can be changed.
void record(const Verification& result, const fs::path& report, std::optional<RunDirectory>& run) {
  std::error_code error;
  if (!fs::exists(report, error) || (run && !run->writes())) {
    return;
  }
  if (!run && ::access(report.parent_path().c_str(), W_OK) != 0) {
    spdlog::warn("{}: stays as it is: {}", report.string(), std::strerror(errno));
    return;
  }
  if (!has_schema(parse_report(read_file(report), report.string()))) {
    spdlog::warn("{}: stays as it is: it is of a version that had no schema", report.string());
    return;
  }
  add_to_report(report, result);
  if (run) {
    run->set_status(StageId::kExport, run->status(StageId::kExport));  // the report has changed
  }
}

void verify(const VerifyOptions& options) {
  install_stop_signals(WhenStopped::kBeginsAnew);
  std::optional<RunDirectory> run;
  if (RunDirectory::exists(options.folder)) {
    require_training("the run's test images");
    run = RunDirectory::look_at(options.folder);
    for (const std::string& warning : run->warnings()) {
      spdlog::warn("{}", warning);
    }
  }
  compute_in(run ? run->config().threads : 0);
  const PackageFolder package(options.folder);
  const RunTarget target = named(kRunTargets, options.target);
  require_tools(target);
  const QuantizedNetwork network = read_model_of(package);
  const Verification result =
      verify_package(package, network, target, named(kRoundings, options.rounding),
                     images_for(options, run, package, network.network.input));
  std::cout << (options.json ? verification_report(result) : table(result)) << std::flush;
  record(result, package.beside("report.json"), run);
  if (!result.holds()) {
    throw Error(package.name + " on " + options.target +
                ": outputs, SRAM, multiply-accumulates or stack are not what was promised");
  }
}

}  // namespace

void add_verify_command(CLI::App& app) {
  const auto options = std::make_shared<VerifyOptions>();
  CLI::App* command = app.add_subcommand(
      "verify", "An exported C package against the integer reference and the estimates");
  command
      ->add_option("dir", options->folder,
                   "Run directory, or folder of a package with its model; the figures are "
                   "added to report.json")
      ->required()
      ->type_name("RUN|DIR");
  add_run_target_options(*command, options->target, options->rounding)->required();
  command
      ->add_option("--images", options->images,
                   "How many: test images of a run, random ones for a package alone")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str()
      ->type_name("N");
  command->add_flag("--json", options->json, "One JSON object on standard output");
  command->footer(R"(
Examples:
  nas_search verify runs/fashion_mnist_32kb --target cortex-m7 --images 100
  nas_search verify model_64kib --target cortex-m4 --rounding single --json
)");
  command->callback([options] { verify(*options); });
}

}  // namespace patchnas
