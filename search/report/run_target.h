#pragma once

// Where a package runs, and how its kernels round.

#include <optional>
#include <string_view>

#include "memory_models/memory_models.h"

namespace patchnas {

enum class RunTarget { kHost, kCortexM4, kCortexM7, kCortexM55 };
inline constexpr RunTarget kRunTargets[] = {RunTarget::kCortexM4, RunTarget::kCortexM7,
                                            RunTarget::kCortexM55, RunTarget::kHost};

/// "cortex-m4", …, "host"
std::string_view to_string(RunTarget target);
/// Nothing for the host.
std::optional<Core> core_of(RunTarget target);
RunTarget target_of(Core core);

/// How often a package's kernels round when they requantise: chosen when they are compiled.
enum class Rounding { kDouble, kSingle };
inline constexpr Rounding kRoundings[] = {Rounding::kDouble, Rounding::kSingle};
/// "double", "single"
std::string_view to_string(Rounding rounding);

}  // namespace patchnas
