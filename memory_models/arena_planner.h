#pragma once

// Places buffers with known lifetimes in one arena.
//
//   std::vector<ArenaBuffer> buffers = {{.size_bytes = 1024, .first_layer = 0, .last_layer = 1},
//   ...}; const std::int64_t arena_bytes = place_buffers(buffers);   // fills in offset_bytes

#include <compare>
#include <cstdint>
#include <vector>

namespace patchnas {

/// Every offset and size in the arena is a multiple of this: int32 accumulators and word loads stay
/// aligned.
inline constexpr std::int64_t kArenaAlignmentBytes = 4;

struct ArenaBuffer {
  std::int64_t size_bytes = 0;
  int first_layer = 0;  ///< time is counted in layers; both ends are included
  int last_layer = 0;
  std::int64_t offset_bytes = 0;

  [[nodiscard]] bool live_at(int layer) const {
    return first_layer <= layer && layer <= last_layer;
  }
  [[nodiscard]] bool overlaps_in_time(const ArenaBuffer& other) const {
    return first_layer <= other.last_layer && other.first_layer <= last_layer;
  }
  auto operator<=>(const ArenaBuffer&) const = default;
};

/// The largest sum of simultaneously live bytes: no placement needs less.
std::int64_t arena_lower_bound(const std::vector<ArenaBuffer>& buffers);

/// Sets every offset so that buffers that are live together do not overlap, and returns the arena's
/// size. First fit in several orders (by size as TensorFlow Lite Micro's greedy planner, by
/// lifetime, by first use, outwards from the fullest moment), then ping-pong between the arena's
/// two ends; the best is kept, and the first that reaches the lower bound ends the attempts.
std::int64_t place_buffers(std::vector<ArenaBuffer>& buffers);

}  // namespace patchnas
