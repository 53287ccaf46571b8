#pragma once

// What `estimate` and `schedule` are asked alike: whether a network is folded first.
//
//   add_folding_option(*command, options->folding);

#include <CLI/CLI.hpp>

#include "deploy/prepare/prepare.h"

namespace patchnas {

/// @param folding must outlive the command
inline CLI::Option* add_folding_option(CLI::App& command, Folding& folding) {
  return command.add_flag_callback(
      "--no-folding", [&folding] { folding = Folding::kNone; },
      "Keep also what is the same for every input: channels that hold one value, layers that "
      "change nothing");
}

}  // namespace patchnas
