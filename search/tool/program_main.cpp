#include "search/tool/program_main.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <iostream>
#include <new>
#include <string>
#include <unistd.h>
#include <vector>

#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include "arch/base/error.h"
#include "arch/base/yaml_reader.h"
#include "patchnas_build_info.h"
#include "search/base/text.h"

namespace patchnas {
namespace {

constexpr int kOtherError = 1;
constexpr int kBadInput = 2;

int fail(const CLI::App& app, std::string_view message, int exit_code) {
  if (message.empty()) {
    return exit_code;  // another rank has said it
  }
  std::cout.flush();  // the line comes last
  const std::string line = app.get_name() + ": " + std::string(first_line(message));
  std::fprintf(stderr, "%s\n", line.c_str());
  spdlog::default_logger()->sinks().erase(spdlog::default_logger()->sinks().begin());
  spdlog::error("{}", line);  // the log file, if there is one; the console has it
  return exit_code;
}

/// A standard stream that is closed would be the first file that is opened. What stands in for it
/// cannot be written, as if it were closed.
void occupy_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) < 0) {
      [[maybe_unused]] const int opened = ::open("/dev/null", O_RDONLY);
    }
  }
}

/// What was printed has arrived, or it was no success: a full disk, a pipe that nobody reads.
int after_output(const CLI::App& app) {
  std::cout.flush();
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout) {
    return 0;
  }
  return fail(app, std::string("standard output: cannot write: ") + std::strerror(errno),
              kOtherError);
}

/// A value that is given is meant: an empty one is no default.
void refuse_empty_values(CLI::App& app) {
  const CLI::Validator filled(
      [](std::string& value) { return std::string(value.empty() ? "must not be empty" : ""); }, "");
  for (CLI::Option* option : app.get_options()) {
    if (option->get_items_expected_max() > 0) {
      option->check(filled);
    }
  }
  for (CLI::App* command : app.get_subcommands({})) {
    refuse_empty_values(*command);
  }
}

/// "did you mean 'schedule'?" for the first argument that nothing expected, else where to look.
std::string guess(const CLI::App& app) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  const CLI::App& command = chosen.empty() ? app : *chosen.front();
  const std::vector<std::string> extras = app.remaining(true);
  const std::string word = extras.empty() ? "" : extras.front().substr(0, extras.front().find('='));
  std::vector<std::string> known;
  if (word.starts_with("--")) {
    for (const CLI::Option* option : command.get_options()) {
      for (const std::string& name : option->get_lnames()) {
        known.push_back("--" + name);
      }
    }
  } else if (chosen.empty()) {
    for (const CLI::App* subcommand : app.get_subcommands([](const CLI::App*) { return true; })) {
      known.push_back(subcommand->get_name());
    }
  }
  const std::string near = nearest_word(word, known);
  return near.empty() ? "see " + app.get_name() + " --help" : "did you mean '" + near + "'?";
}

char* const* arguments = nullptr;

}  // namespace

int run_program(CLI::App& app, int argc, char** argv) {
  arguments = argv;
  occupy_standard_streams();
  refuse_empty_values(app);
  try {
    app.parse(argc, argv);
    return after_output(app);
  } catch (const CLI::ExtrasError& error) {
    return fail(app, std::string(error.what()) + "; " + guess(app), kBadInput);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      app.exit(error);
      return after_output(app);
    }
    return fail(app, std::string(error.what()) + "; see " + app.get_name() + " --help", kBadInput);
  } catch (const Error& error) {
    return fail(app, error.what(), error.exit_code());
  } catch (const std::bad_alloc&) {
    return fail(app, "out of memory", kOtherError);
  } catch (const std::exception& error) {
    return fail(app, error.what(), kOtherError);
  }
}

char* const* command_line() { return arguments; }

const char* program_version() {
  static const std::string text =
      std::string(build_info::kVersion) + " (" + std::string(build_info::git_revision()) + ")";
  return text.c_str();
}

}  // namespace patchnas
