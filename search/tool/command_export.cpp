// nas_search export: int8 files of a finished run, again or of another candidate.

#include <memory>

#include <CLI/CLI.hpp>

#include "search/tool/commands.h"
#include "search/tool/training.h"

namespace patchnas {

void add_export_command(CLI::App& app) {
  const auto options = std::make_shared<ExportOptions>();
  CLI::App* command = app.add_subcommand(
      "export", "The best network of a finished run, or another candidate, as int8");
  command->add_option("run", options->run, "Run directory")->required()->type_name("RUN");
  command
      ->add_option("--candidate", options->candidate_id,
                   "Another candidate of search/candidates.jsonl; it has the supernet's weights, "
                   "not fine-tuned")
      ->type_name("ID");
  command
      ->add_option("--out", options->folder,
                   "Folder for the files, new, empty or that of an earlier export; default: "
                   "RUN/export, RUN/export-ID")
      ->type_name("DIR");
  command
      ->add_option("--dump-test-images", options->dumped_test_images,
                   "Also write inputs.bin, outputs.bin and labels.bin of the first N test images")
      ->type_name("N")
      ->check(CLI::Range(0, 1 << 30));
  command->footer(R"(
Examples:
  nas_search export runs/fashion_mnist_32kb --out exported
  nas_search export runs/fashion_mnist_32kb --candidate 313b59360b05859d
  nas_search export runs/fashion_mnist_32kb --out exported --dump-test-images 1000
)");
  command->callback([options] { run_export(*options); });
}

}  // namespace patchnas
