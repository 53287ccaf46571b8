#pragma once

// A quantised network under a patch schedule as a C99 package for a microcontroller.
//
//   const CPackage package = make_c_package(network, schedule, InputMode::kStreamed, "vww");
//   for (const auto& [path, text] : package.files) write(folder / path, text);
//
// The package executes what ArenaExecutor executes, at the same places of an arena of the same
// size, with the kernels of runtime/.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "arch/patch_schedule.h"
#include "arch/quantized_network.h"
#include "memory_models/arena_plan.h"

namespace patchnas {

/// What a call of a package needs of the stack on a Cortex-M, at most; `nas_search verify` measures
/// it.
inline constexpr std::int64_t kStackAllowanceBytes = 1536;

struct CPackage {
  /// Path in the package's folder -> text: NAME.h with the whole interface, NAME.c, NAME_weights.h
  /// and NAME_weights.c, the needed sources of runtime/ and their names, package.cmake, Makefile,
  /// README.md and package.json, which is for programs.
  std::map<std::string, std::string> files;
  std::int64_t arena_bytes = 0;
};

/// @param name as c_package_name() gives one: begins the names of files and of all symbols, those
/// of the kernels too, so that packages with different names can be linked together
/// @throws InputError if the name is none, or the schedule does not fit the network.
CPackage make_c_package(const QuantizedNetwork& network, const PatchSchedule& schedule,
                        InputMode input, const std::string& name);

/// A name for make_c_package() from that of a file: "mcunet-5fps (1)" becomes "mcunet_5fps_1",
/// "stdint" "net_stdint", because <stdint.h> must stay what it is.
std::string c_package_name(std::string_view text);

}  // namespace patchnas
