// nas_search help: what --help says, of the program or of a subcommand.

#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>

#include "arch/base/error.h"
#include "arch/base/yaml_reader.h"
#include "search/tool/commands.h"

namespace patchnas {
namespace {

void print_help(const CLI::App& app, const std::string& name) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
    if (names.back() == name) {
      std::cout << command->help(app.get_name());
      return;
    }
  }
  if (name.empty()) {
    // app.help() would be that of the subcommand that was called.
    std::cout << app.get_formatter()->make_help(&app, app.get_name(), CLI::AppFormatMode::Normal);
    return;
  }
  const std::string near = nearest_word(name, names);
  std::string message = "help " + name + ": no such subcommand" +
                        (near.empty() ? "; there are" : "; did you mean '" + near + "'? There are");
  for (const std::string& known : names) {
    message += (known == names.front() ? " " : ", ") + known;
  }
  throw InputError(message);
}

}  // namespace

void add_help_command(CLI::App& app) {
  const auto name = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("help", "This text, or that of a subcommand");
  command->add_option("subcommand", *name, "Whose options and examples")->type_name("SUBCOMMAND");
  command->callback([&app, name] { print_help(app, *name); });
}

}  // namespace patchnas
