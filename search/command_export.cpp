// nas_search export: int8 files of a finished run, again or of another candidate.

#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include "search/commands.h"
#include "search/console.h"
#include "search/files.h"
#include "search/package_files.h"
#include "search/report.h"
#include "search/stop_signal.h"
#include "search/torch_stages.h"

namespace patchnas {

void add_export_command(CLI::App& app) {
  struct Options {
    std::string run;
    ExportRequest request;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "export", "The best network of a finished run, or another candidate, as int8");
  command->add_option("run", options->run, "Run directory")->required()->type_name("RUN");
  command
      ->add_option("--candidate", options->request.candidate_id,
                   "Another candidate of search/candidates.jsonl; it has the supernet's weights, "
                   "not fine-tuned")
      ->type_name("ID");
  command
      ->add_option("--out", options->request.folder,
                   "Folder for the files, new, empty or that of an earlier export; default: "
                   "RUN/export, RUN/export-ID")
      ->type_name("DIR");
  command
      ->add_option("--dump-test-images", options->request.dumped_test_images,
                   "Also write inputs.bin, outputs.bin and labels.bin of the first N test images")
      ->type_name("N")
      ->check(CLI::Range(0, 1 << 30));
  command->footer(R"(
Examples:
  nas_search export runs/fashion_mnist_32kb --out exported
  nas_search export runs/fashion_mnist_32kb --candidate 313b59360b05859d
  nas_search export runs/fashion_mnist_32kb --out exported --dump-test-images 1000
)");
  command->callback([options] {
    install_stop_signals();
    if (!options->request.folder.empty()) {
      require_export_place(options->request.folder);
    }
    RunDirectory run = RunDirectory::read(options->run);
    if (run.writes()) {
      log_to_file(run.log_file());
    }
    for (const std::string& warning : run.warnings()) {
      spdlog::warn("{}", warning);
    }
    const std::filesystem::path folder = export_again(run, options->request);
    const std::filesystem::path report = folder / "report.json";
    std::cout << last_screen(read_file(report), report.string(), folder);
  });
}

}  // namespace patchnas
