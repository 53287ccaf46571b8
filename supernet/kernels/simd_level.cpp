#include "supernet/kernels/simd_level.h"

#include <array>
#include <cstddef>

namespace patchnas::simd {
namespace {

constexpr std::array kLevels{Level::kBase, Level::kV3, Level::kV4};

Level best_level() {
#if defined(PATCHNAS_LEVELS)
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  return v4 ? Level::kV4 : v3 ? Level::kV3 : Level::kBase;
#else
  return Level::kBase;
#endif
}

Level& current() {
  static Level level = best_level();
  return level;
}

}  // namespace

std::string_view to_string(Level level) {
  constexpr std::array<std::string_view, kLevels.size()> kNames{"x86-64", "x86-64-v3", "x86-64-v4"};
  return kNames[static_cast<std::size_t>(level)];
}

std::span<const Level> machine_levels() {
  static const std::size_t count = static_cast<std::size_t>(best_level()) + 1;
  return std::span(kLevels).first(count);
}

Level level() { return current(); }
void set_level(Level level) { current() = level; }

}  // namespace patchnas::simd
