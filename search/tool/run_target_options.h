#pragma once

// What `run`, `verify` and `evaluate` are asked alike: where a package runs, and how its kernels
// round.
//
//   add_run_target_options(*command, options->target, options->rounding)->required();
//   named(kRunTargets, options->target);

#include <string>

#include <CLI/CLI.hpp>

#include "search/report/run_target.h"
#include "search/tool/option_names.h"

namespace patchnas {

/// @param target,rounding names of kRunTargets and kRoundings; must outlive the command
/// @return the option of the target
inline CLI::Option* add_run_target_options(CLI::App& command, std::string& target,
                                           std::string& rounding) {
  CLI::Option* const where =
      command.add_option("--target", target, "Where it runs: emulated, or on this machine")
          ->check(CLI::IsMember(names_of(kRunTargets)));
  command
      .add_option("--rounding", rounding,
                  "How often requantisation rounds: double, as TensorFlow Lite Micro does, or "
                  "single (-DPATCHNAS_SINGLE_ROUNDING)")
      ->check(CLI::IsMember(names_of(kRoundings)))
      ->capture_default_str();
  return where;
}

}  // namespace patchnas
