// nas_search.

#include <CLI/CLI.hpp>

#include "search/base/console.h"
#include "search/tool/commands.h"
#include "search/tool/program_main.h"

namespace {

constexpr const char* kExamples = R"(
Examples:
  nas_search --config fashion_mnist_32kb.yaml
  nas_search --config fashion_mnist_32kb.yaml --set target.sram_bytes=24KiB --set name=tighter
  nas_search --resume runs/fashion_mnist_32kb
  nas_search prepare --config vww_32kb.yaml --set data.path=/data/coco
  nas_search export runs/fashion_mnist_32kb --out exported
  nas_search estimate --network mobilenet_v2 --patches 4 --split-block 4
  nas_search inspect model.tflite
  nas_search quantise float.tflite --inputs samples.f32 --out model.tflite
  nas_search schedule model.tflite --sram 64KiB --out model_64kib
  nas_search run model_64kib --target cortex-m4 --input image.bin --output scores.bin
  nas_search verify runs/fashion_mnist_32kb --target cortex-m7 --images 100
  nas_search evaluate model.tflite --images photos/test

nas_search help SUBCOMMAND has the options and examples of each.

Exit codes: 0 done, 2 bad input, 3 nothing fits the limits, 75 stopped by a signal
(resume it), 1 anything else.
)";

}  // namespace

int main(int argc, char** argv) {
  patchnas::start_logging();
  CLI::App app(
      "PatchNAS: finds a neural network and the patch-by-patch schedule that runs it,\n"
      "so that both fit a microcontroller.");
  app.name("nas_search");
  app.footer(kExamples);
  app.set_version_flag("--version", patchnas::program_version());
  app.require_subcommand(0, 1);
  patchnas::add_search_command(app);
  patchnas::add_export_command(app);
  patchnas::add_estimate_command(app);
  patchnas::add_prepare_command(app);
  patchnas::add_inspect_command(app);
  patchnas::add_quantise_command(app);
  patchnas::add_schedule_command(app);
  patchnas::add_run_command(app);
  patchnas::add_verify_command(app);
  patchnas::add_evaluate_command(app);
  patchnas::add_help_command(app);
  return patchnas::run_program(app, argc, argv);
}
