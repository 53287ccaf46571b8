#pragma once

// An independent check of arena plans: compares every pair, knows nothing about how plans are made.

#include <string>
#include <vector>

#include "memory_models/arena_planner.h"

namespace patchnas::testing {

/// Written over one another in a row, none beyond the one before it.
inline bool is_within(const std::vector<ArenaBuffer>& buffers, const ArenaBuffer& a, int under) {
  int index = a.overwrites;
  const ArenaBuffer* inner = &a;
  while (index != kNoBuffer && index != under && !inner->may_lie_apart) {
    const ArenaBuffer& outer = buffers[static_cast<std::size_t>(index)];
    if (inner->distance_bytes != 0 || inner->size_bytes > outer.size_bytes ||
        (inner->may_move && inner->offset_bytes != outer.offset_bytes)) {
      return false;
    }
    inner = &outer;
    index = outer.overwrites;
  }
  return index == under && index != kNoBuffer && !inner->may_lie_apart;
}

/// What is wrong with the placement, or "".
inline std::string plan_error(const std::vector<ArenaBuffer>& buffers, std::int64_t arena_bytes) {
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const ArenaBuffer& a = buffers[i];
    const std::string name = "buffer " + std::to_string(i);
    if (a.offset_bytes < 0 || a.offset_bytes + a.size_bytes > arena_bytes) {
      return name + " is outside the arena";
    }
    if (a.offset_bytes % kArenaAlignmentBytes != 0) {
      return name + " is misaligned";
    }
    for (std::size_t j = 0; j < i; ++j) {
      const ArenaBuffer& b = buffers[j];
      const bool begins_early = a.offset_bytes <= b.offset_bytes + a.distance_bytes;
      if (a.overwrites == static_cast<int>(j) && a.may_lie_apart && begins_early) {
        continue;
      }
      if (a.overwrites != static_cast<int>(j) && is_within(buffers, a, static_cast<int>(j))) {
        continue;
      }
      const bool takes_place =
          a.overwrites == static_cast<int>(j) || a.instead == static_cast<int>(j);
      if (a.may_move && takes_place && a.offset_bytes == b.offset_bytes) {
        continue;
      }
      if (a.overwrites == static_cast<int>(j) && !a.may_lie_apart && !a.may_move) {
        if (a.offset_bytes != b.offset_bytes + a.distance_bytes || !a.overlaps_in_time(b)) {
          return name + " is not written over buffer " + std::to_string(j);
        }
        continue;
      }
      const bool together = a.first_step <= b.last_step && b.first_step <= a.last_step;
      const bool overlap = a.offset_bytes < b.offset_bytes + b.size_bytes &&
                           b.offset_bytes < a.offset_bytes + a.size_bytes;
      if (together && overlap) {
        return name + " overlaps buffer " + std::to_string(j);
      }
    }
  }
  return "";
}

}  // namespace patchnas::testing
