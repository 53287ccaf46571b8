#include "search/program_main.h"

#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include "arch/error.h"
#include "patchnas_build_info.h"
#include "search/text.h"

namespace patchnas {
namespace {

constexpr int kOtherError = 1;
constexpr int kBadInput = 2;

int fail(const CLI::App& app, std::string_view message, int exit_code) {
  if (message.empty()) {
    return exit_code;  // another rank has said it
  }
  const std::string line = app.get_name() + ": " + std::string(first_line(message));
  std::fprintf(stderr, "%s\n", line.c_str());
  spdlog::default_logger()->sinks().erase(spdlog::default_logger()->sinks().begin());
  spdlog::error("{}", line);  // the log file, if there is one; the console has it
  return exit_code;
}

}  // namespace

int run_program(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& error) {
    return error.get_exit_code() == 0
               ? app.exit(error)
               : fail(app, std::string(error.what()) + "; see " + app.get_name() + " --help",
                      kBadInput);
  } catch (const Error& error) {
    return fail(app, error.what(), error.exit_code());
  } catch (const std::bad_alloc&) {
    return fail(app, "out of memory", kOtherError);
  } catch (const std::exception& error) {
    return fail(app, error.what(), kOtherError);
  }
}

const char* program_version() {
  static const std::string text =
      std::string(build_info::kVersion) + " (" + std::string(build_info::git_revision()) + ")";
  return text.c_str();
}

}  // namespace patchnas
