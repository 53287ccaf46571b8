// nas_search: one line for an error, and an exit code that says whose fault it was.

#include <cstdio>
#include <new>
#include <string>

#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include "arch/error.h"
#include "patchnas_build_info.h"
#include "search/commands.h"
#include "search/console.h"
#include "search/text.h"

namespace {

constexpr int kOtherError = 1;
constexpr int kBadInput = 2;

constexpr const char* kExamples = R"(
Examples:
  nas_search --config fashion_mnist_32kb.yaml
  nas_search --config fashion_mnist_32kb.yaml --set target.sram_bytes=24KiB --set name=tighter
  nas_search --resume runs/fashion_mnist_32kb
  nas_search export runs/fashion_mnist_32kb --out exported
  nas_search estimate --network mobilenet_v2 --patches 4 --split-block 4
  nas_search schedule model.tflite --sram 64KiB --out model_64kib
  nas_search run model_64kib --target cortex-m4 --input image.bin --output scores.bin
  nas_search verify runs/fashion_mnist_32kb --target cortex-m7 --images 100

Exit codes: 0 done, 2 bad input, 3 nothing fits the limits, 75 stopped by a signal
(resume it), 1 anything else.
)";

int fail(std::string_view message, int exit_code) {
  const std::string line = "nas_search: " + std::string(patchnas::first_line(message));
  std::fprintf(stderr, "%s\n", line.c_str());
  spdlog::default_logger()->sinks().erase(spdlog::default_logger()->sinks().begin());
  spdlog::error("{}", line);  // the log file, if there is one; the console has it
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  patchnas::start_logging();
  CLI::App app(
      "PatchNAS: finds a neural network and the patch-by-patch schedule that runs it,\n"
      "so that both fit a microcontroller.");
  app.name("nas_search");
  app.footer(kExamples);
  app.set_version_flag("--version", std::string(patchnas::build_info::kVersion) + " (" +
                                        std::string(patchnas::build_info::git_revision()) + ")");
  app.require_subcommand(0, 1);
  try {
    patchnas::add_search_command(app);
    patchnas::add_export_command(app);
    patchnas::add_estimate_command(app);
    patchnas::add_schedule_command(app);
    patchnas::add_run_command(app);
    patchnas::add_verify_command(app);
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& error) {
    return error.get_exit_code() == 0
               ? app.exit(error)
               : fail(std::string(error.what()) + "; see nas_search --help", kBadInput);
  } catch (const patchnas::Error& error) {
    return fail(error.what(), error.exit_code());
  } catch (const std::bad_alloc&) {
    return fail("out of memory", kOtherError);
  } catch (const std::exception& error) {
    return fail(error.what(), kOtherError);
  }
}
