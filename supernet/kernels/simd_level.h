#pragma once

// The levels of instructions that the kernels are compiled for (simd.h), and which of them runs.

#include <span>
#include <string_view>

namespace patchnas::simd {

/// Of the x86-64 psABI; elsewhere there is the base alone.
enum class Level { kBase, kV3, kV4 };

std::string_view to_string(Level level);

/// Those that were compiled and that this machine can execute, the best last.
std::span<const Level> machine_levels();

/// Which one the kernels take: the machine's best until set_level() is called.
Level level();
/// For tests and benchmarks, while no kernel runs. @param level one of machine_levels()
void set_level(Level level);

}  // namespace patchnas::simd
