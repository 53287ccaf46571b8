// nas_search prepare: checks a configuration's data set and builds its caches, before any machine
// time is spent on training.

#include <memory>

#include <CLI/CLI.hpp>

#include "search/tool/commands.h"
#include "search/tool/training.h"

namespace patchnas {
void add_prepare_command(CLI::App& app) {
  const auto options = std::make_shared<PrepareOptions>();
  CLI::App* command = app.add_subcommand(
      "prepare", "Checks the data set of a configuration, and decodes its images into the cache");
  command
      ->add_option("--config", options->config,
                   "Configuration: a file, or the name of one in configs/")
      ->required()
      ->type_name("NAME");
  command
      ->add_option("--set", options->assignments,
                   "Override a key, as data.path=/data/coco; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command->footer(R"(
Examples:
  nas_search prepare --config fashion_mnist_32kb.yaml
  nas_search prepare --config vww_32kb.yaml --set data.path=/data/coco
)");
  command->callback([options] { run_prepare(*options); });
}

}  // namespace patchnas
