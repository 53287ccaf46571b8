#pragma once

// Places buffers with known lifetimes in one arena.
//
//   std::vector<ArenaBuffer> buffers = {{.size_bytes = 1024, .first_step = 0, .last_step = 1},
//                                       ...};
//   const std::int64_t arena_bytes = place_buffers(buffers);   // fills in offset_bytes

#include <compare>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace patchnas {

/// Every offset and size in the arena is a multiple of this: int32 accumulators and word loads stay
/// aligned.
inline constexpr std::int64_t kArenaAlignmentBytes = 4;

constexpr std::int64_t aligned(std::int64_t bytes) {
  return (bytes + kArenaAlignmentBytes - 1) / kArenaAlignmentBytes * kArenaAlignmentBytes;
}

inline constexpr int kNoBuffer = -1;

struct ArenaBuffer {
  std::int64_t size_bytes = 0;
  int first_step = 0;  ///< of an execution plan; both ends are included
  int last_step = 0;
  /// An earlier buffer that this one is written over: it begins at a fixed distance from it, and
  /// where both are live they share bytes: in the step that turns one into the other, or, where
  /// tiles consume the one and compute the other, in all steps of their loop.
  int overwrites = kNoBuffer;
  /// From the first byte of that buffer to the first of this one; a multiple of
  /// kArenaAlignmentBytes.
  std::int64_t distance_bytes = 0;
  /// The distance is only the largest: this buffer may begin earlier, or lie apart.
  bool may_lie_apart = false;
  /// It need not be there: it may lie apart as well, or take the place of `instead`, if that is
  /// one. Of what it is written over, directly or one over the other, only the first lives with it.
  bool may_move = false;
  int instead = kNoBuffer;
  std::int64_t offset_bytes = 0;

  [[nodiscard]] bool live_at(int step) const { return first_step <= step && step <= last_step; }
  [[nodiscard]] bool overlaps_in_time(const ArenaBuffer& other) const {
    return first_step <= other.last_step && other.first_step <= last_step;
  }
  auto operator<=>(const ArenaBuffer&) const = default;
};

/// Bytes in use at every step up to the last that any buffer lives at.
std::vector<std::int64_t> live_bytes(std::span<const ArenaBuffer> buffers);

/// The largest sum of simultaneously live bytes: no placement needs less.
std::int64_t arena_lower_bound(std::span<const ArenaBuffer> buffers);

/// A way to place buffers. Stateless; safe to use from several threads.
class ArenaPlanner {
 public:
  virtual ~ArenaPlanner() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// Sets every offset so that buffers that are live together do not overlap, except a buffer and
  /// the one it overwrites, and returns the arena's size.
  virtual std::int64_t place(std::span<ArenaBuffer> buffers) const = 0;
};

/// TensorFlow Lite Micro's greedy planner (Pisarchyk and Lee, 2020): the largest buffer first, of
/// equal ones the last, each in the lowest gap.
const ArenaPlanner& greedy_by_size();
/// The longest-lived buffer first, each in the lowest gap.
const ArenaPlanner& longest_first();
/// Buffers of the fullest moment first, then the others by their distance in time from it, each in
/// the lowest gap.
const ArenaPlanner& around_the_peak();
/// In order of first use, each as low or as high as it can lie in an arena of the lower bound's
/// size, with a bounded search over these choices. An inverted residual fits so: its input lies at
/// one end, the expanded tensor and what overwrites it at the other, the projection beside the
/// input. What may lie apart is kept over another where the size at hand asks for it, first as near
/// as it may be; what may move, where that helps. Where the lower bound cannot be reached within
/// the search, a larger arena is tried.
const ArenaPlanner& two_ends();
/// Every planner above.
std::span<const ArenaPlanner* const> arena_planners();

/// The best of all planners; stops at the first that reaches the lower bound.
std::int64_t place_buffers(std::span<ArenaBuffer> buffers);

}  // namespace patchnas
