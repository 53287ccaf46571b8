// nas_search without a subcommand: the whole run, from images to int8.

#include <memory>

#include <CLI/CLI.hpp>

#include "search/tool/commands.h"
#include "search/tool/training.h"

namespace patchnas {

void add_search_command(CLI::App& app) {
  const auto options = std::make_shared<SearchOptions>();
  app.add_option("--config", options->config,
                 "Configuration: a file, or the name of one in configs/")
      ->type_name("NAME");
  app.add_option("--resume", options->resume, "Continue a run, with its own configuration")
      ->type_name("DIR");
  app.add_option("--set", options->assignments,
                 "Override a key, as search.population=50; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_option("--device", options->device, "auto, cpu or cuda")->type_name("NAME");
  app.add_option("--threads", options->threads,
                 "Computing threads of each process; 0 for its share of the cores")
      ->type_name("N");
  app.add_option("--runs-dir,--out", options->runs_folder,
                 "Folder that holds the run directories; default: runs")
      ->type_name("DIR");
  app.add_option("--rank-timeout", options->rank_timeout,
                 "Seconds after which a rank that does not answer is lost; default: 600")
      ->type_name("SECONDS")
      ->check(CLI::Range(1, 86400));
  app.callback([&app, options] {
    if (app.get_subcommands().empty()) {
      run_search(*options);
    }
  });
}

}  // namespace patchnas
