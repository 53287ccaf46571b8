#include "memory_models/arena_planner.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <tuple>

namespace patchnas {
namespace {

// Buffers that are written over one another at fixed distances are placed as one group.
struct Member {
  int buffer = 0;
  std::int64_t offset_bytes = 0;  // in the group
};

struct Group {
  std::vector<Member> members;
  int first_step = 0;
  int last_step = 0;
  std::int64_t size_bytes = 0;  // of all together, aligned
  std::int64_t offset_bytes = 0;
};

// A buffer may begin before the one that it overwrites: the first of all becomes byte 0.
void measure(Group& group, std::span<const ArenaBuffer> buffers) {
  std::int64_t begin = 0;
  for (const Member& member : group.members) {
    begin = std::min(begin, member.offset_bytes);
  }
  for (Member& member : group.members) {
    const ArenaBuffer& buffer = buffers[static_cast<std::size_t>(member.buffer)];
    member.offset_bytes -= begin;
    group.size_bytes = std::max(group.size_bytes, member.offset_bytes + aligned(buffer.size_bytes));
  }
}

std::vector<Group> groups_of(std::span<const ArenaBuffer> buffers) {
  std::vector<Group> groups;
  std::vector<int> group_of(buffers.size());
  std::vector<std::int64_t> offsets(buffers.size(), 0);  // from the first member's first byte
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const ArenaBuffer& buffer = buffers[i];
    if (buffer.overwrites == kNoBuffer || buffer.may_lie_apart) {
      group_of[i] = static_cast<int>(groups.size());
      groups.push_back({.members = {}, .first_step = buffer.first_step, .last_step = 0});
    } else {
      const auto under = static_cast<std::size_t>(buffer.overwrites);
      group_of[i] = group_of[under];
      offsets[i] = offsets[under] + buffer.distance_bytes;
    }
    Group& group = groups[static_cast<std::size_t>(group_of[i])];
    group.members.push_back({.buffer = static_cast<int>(i), .offset_bytes = offsets[i]});
    group.last_step = std::max(group.last_step, buffer.last_step);
  }
  for (Group& group : groups) {
    measure(group, buffers);
  }
  return groups;
}

// Groups placed so far, and where another one may lie beside them.
class Arena {
 public:
  explicit Arena(std::span<ArenaBuffer> buffers) : buffers_(buffers), groups_(groups_of(buffers)) {
    placed_.reserve(groups_.size());
  }

  [[nodiscard]] const std::vector<Group>& groups() const { return groups_; }

  [[nodiscard]] std::int64_t lowest_offset(int index) {
    collect_forbidden(index);
    std::sort(forbidden_.begin(), forbidden_.end());
    std::int64_t offset = 0;
    for (const auto& [low, high] : forbidden_) {
      if (low < offset && offset < high) {
        offset = high;
      } else if (low >= offset) {
        break;
      }
    }
    return offset;
  }

  // The highest offset at which the group ends inside `capacity_bytes`; negative if there is none.
  [[nodiscard]] std::int64_t highest_offset(int index, std::int64_t capacity_bytes) {
    collect_forbidden(index);
    std::sort(forbidden_.begin(), forbidden_.end(),
              [](const auto& a, const auto& b) { return a.second > b.second; });
    std::int64_t offset = capacity_bytes - group(index).size_bytes;
    for (const auto& [low, high] : forbidden_) {
      if (low < offset && offset < high) {
        offset = low;
      } else if (high <= offset) {
        break;
      }
    }
    return offset;
  }

  void place(int index, std::int64_t offset) {
    group(index).offset_bytes = offset;
    placed_.push_back(index);
  }
  void take_back() { placed_.pop_back(); }
  void clear() { placed_.clear(); }

  // Writes the offsets into the buffers and returns the arena's size.
  std::int64_t finish() {
    std::int64_t arena_bytes = 0;
    for (const Group& group : groups_) {
      for (const Member& member : group.members) {
        buffers_[static_cast<std::size_t>(member.buffer)].offset_bytes =
            group.offset_bytes + member.offset_bytes;
      }
      arena_bytes = std::max(arena_bytes, group.offset_bytes + group.size_bytes);
    }
    return arena_bytes;
  }

 private:
  Group& group(int index) { return groups_[static_cast<std::size_t>(index)]; }
  [[nodiscard]] const ArenaBuffer& buffer(const Member& member) const {
    return buffers_[static_cast<std::size_t>(member.buffer)];
  }

  // From the beginning of `a` to that of `b`, at least, if `a` lies before it.
  [[nodiscard]] std::int64_t distance_before(const Member& a, const Member& b) const {
    return buffer(a).overwrites == b.buffer && buffer(a).may_lie_apart
               ? -buffer(a).distance_bytes
               : aligned(buffer(a).size_bytes);
  }

  // The open intervals that the group's offset may not lie in.
  void collect_forbidden(int index) {
    forbidden_.clear();
    const Group& added = group(index);
    for (const int other : placed_) {
      const Group& there = group(other);
      if (added.first_step > there.last_step || there.first_step > added.last_step) {
        continue;
      }
      for (const Member& a : added.members) {
        for (const Member& b : there.members) {
          if (buffer(a).overlaps_in_time(buffer(b))) {
            const std::int64_t begin = there.offset_bytes + b.offset_bytes - a.offset_bytes;
            forbidden_.emplace_back(begin - distance_before(a, b), begin + distance_before(b, a));
          }
        }
      }
    }
  }

  std::span<ArenaBuffer> buffers_;
  std::vector<Group> groups_;
  std::vector<int> placed_;
  std::vector<std::pair<std::int64_t, std::int64_t>> forbidden_;
};

// Groups sorted by a key, equal ones in their given order.
template <typename Key>
std::vector<int> sorted_groups(const std::vector<Group>& groups, const Key& key) {
  std::vector<int> order(groups.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return key(groups[static_cast<std::size_t>(a)]) < key(groups[static_cast<std::size_t>(b)]);
  });
  return order;
}

std::int64_t first_fit(Arena& arena, const std::vector<int>& order) {
  for (const int group : order) {
    arena.place(group, arena.lowest_offset(group));
  }
  return arena.finish();
}

class GreedyBySize : public ArenaPlanner {
 public:
  [[nodiscard]] std::string_view name() const override { return "greedy_by_size"; }
  std::int64_t place(std::span<ArenaBuffer> buffers) const override {
    Arena arena(buffers);
    return first_fit(arena, sorted_groups(arena.groups(), [](const Group& g) {
                       return std::tuple(-g.size_bytes, -g.members.front().buffer);
                     }));
  }
};

class LongestFirst : public ArenaPlanner {
 public:
  [[nodiscard]] std::string_view name() const override { return "longest_first"; }
  std::int64_t place(std::span<ArenaBuffer> buffers) const override {
    Arena arena(buffers);
    return first_fit(arena, sorted_groups(arena.groups(), [](const Group& g) {
                       return std::tuple(g.first_step - g.last_step, -g.size_bytes);
                     }));
  }
};

class AroundThePeak : public ArenaPlanner {
 public:
  [[nodiscard]] std::string_view name() const override { return "around_the_peak"; }
  std::int64_t place(std::span<ArenaBuffer> buffers) const override {
    const std::vector<std::int64_t> live = live_bytes(buffers);
    const int peak = static_cast<int>(std::max_element(live.begin(), live.end()) - live.begin());
    Arena arena(buffers);
    return first_fit(arena, sorted_groups(arena.groups(), [peak](const Group& g) {
                       const int distance = std::max({0, g.first_step - peak, peak - g.last_step});
                       return std::tuple(distance, g.first_step - g.last_step, -g.size_bytes);
                     }));
  }
};

class TwoEnds : public ArenaPlanner {
 public:
  [[nodiscard]] std::string_view name() const override { return "two_ends"; }
  std::int64_t place(std::span<ArenaBuffer> buffers) const override {
    const std::int64_t bound = arena_lower_bound(buffers);
    Arena arena(buffers);
    if (fits(arena, bound)) {
      return arena.finish();
    }
    // Between a size that fails and one that fits.
    std::int64_t too_small = bound;
    std::int64_t enough = first_fit(
        arena, sorted_groups(arena.groups(), [](const Group& g) { return g.first_step; }));
    for (int attempt = 0; attempt < kAttempts && enough - too_small > kArenaAlignmentBytes;
         ++attempt) {
      const std::int64_t between = aligned(too_small + (enough - too_small) / 4);
      if (between < enough && fits(arena, between)) {
        enough = arena.finish();
      } else {
        too_small = between;
      }
    }
    return enough;
  }

 private:
  static constexpr int kAttempts = 12;
  static constexpr int kStepsPerGroup = 64;

  // Searches depth first, and leaves the groups where they fit.
  static bool fits(Arena& arena, std::int64_t capacity_bytes) {
    const std::vector<int> order = sorted_groups(
        arena.groups(), [](const Group& g) { return std::tuple(g.first_step, -g.last_step); });
    arena.clear();
    int steps = kStepsPerGroup * static_cast<int>(order.size());
    return fits_from(arena, order, 0, capacity_bytes, steps);
  }

  static bool fits_from(Arena& arena, const std::vector<int>& order, std::size_t position,
                        std::int64_t capacity_bytes, int& steps) {
    if (position == order.size()) {
      return true;
    }
    if (--steps < 0) {
      return false;
    }
    const int index = order[position];
    const Group& group = arena.groups()[static_cast<std::size_t>(index)];
    const std::int64_t low = arena.lowest_offset(index);
    if (low + group.size_bytes > capacity_bytes) {
      return false;
    }
    const std::int64_t high = arena.highest_offset(index, capacity_bytes);
    // What shrinks in place leaves its gap above, where it does not split the free space only if
    // the group lies low.
    const std::array<std::int64_t, 2> choices =
        group.members.size() > 1 ? std::array{low, high} : std::array{high, low};
    for (int i = 0; i < (low == high ? 1 : 2); ++i) {
      arena.place(index, choices[static_cast<std::size_t>(i)]);
      if (fits_from(arena, order, position + 1, capacity_bytes, steps)) {
        return true;
      }
      arena.take_back();
    }
    return false;
  }
};

// With the nearest of those that the buffer is written over, one over the other, that is live.
std::int64_t shared_bytes(std::span<const ArenaBuffer> buffers, const ArenaBuffer& buffer,
                          int step) {
  std::int64_t distance = buffer.distance_bytes;
  int index = buffer.overwrites;
  while (index != kNoBuffer && !buffers[static_cast<std::size_t>(index)].live_at(step)) {
    const ArenaBuffer& under = buffers[static_cast<std::size_t>(index)];
    distance += under.distance_bytes;
    index = under.may_lie_apart ? kNoBuffer : under.overwrites;
  }
  if (index == kNoBuffer) {
    return 0;
  }
  const std::int64_t end =
      std::min(buffers[static_cast<std::size_t>(index)].size_bytes, distance + buffer.size_bytes);
  return std::max(std::int64_t{0}, end - std::max(std::int64_t{0}, distance));
}

}  // namespace

std::vector<std::int64_t> live_bytes(std::span<const ArenaBuffer> buffers) {
  int last = -1;
  for (const ArenaBuffer& buffer : buffers) {
    last = std::max(last, buffer.last_step);
  }
  std::vector<std::int64_t> live(static_cast<std::size_t>(last + 1), 0);
  for (const ArenaBuffer& buffer : buffers) {
    for (int step = buffer.first_step; step <= buffer.last_step; ++step) {
      live[static_cast<std::size_t>(step)] += aligned(buffer.size_bytes);
    }
    for (int step = buffer.first_step; buffer.overwrites != kNoBuffer && step <= buffer.last_step;
         ++step) {
      live[static_cast<std::size_t>(step)] -= aligned(shared_bytes(buffers, buffer, step));
    }
  }
  return live;
}

std::int64_t arena_lower_bound(std::span<const ArenaBuffer> buffers) {
  const std::vector<std::int64_t> live = live_bytes(buffers);
  return live.empty() ? 0 : *std::max_element(live.begin(), live.end());
}

const ArenaPlanner& greedy_by_size() {
  static const GreedyBySize planner;
  return planner;
}

const ArenaPlanner& longest_first() {
  static const LongestFirst planner;
  return planner;
}

const ArenaPlanner& around_the_peak() {
  static const AroundThePeak planner;
  return planner;
}

const ArenaPlanner& two_ends() {
  static const TwoEnds planner;
  return planner;
}

std::span<const ArenaPlanner* const> arena_planners() {
  static const std::array<const ArenaPlanner*, 4> planners{&two_ends(), &greedy_by_size(),
                                                           &longest_first(), &around_the_peak()};
  return planners;
}

std::int64_t place_buffers(std::span<ArenaBuffer> buffers) {
  const std::int64_t bound = arena_lower_bound(buffers);
  std::vector<ArenaBuffer> attempt(buffers.begin(), buffers.end());
  std::optional<std::int64_t> best;
  for (const ArenaPlanner* const planner : arena_planners()) {
    const std::int64_t bytes = planner->place(attempt);
    if (!best || bytes < *best) {
      best = bytes;
      std::copy(attempt.begin(), attempt.end(), buffers.begin());
    }
    if (bytes == bound) {
      break;
    }
  }
  return best.value_or(0);
}

}  // namespace patchnas
