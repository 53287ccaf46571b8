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

// @param moving whether what may move is a group of its own
// @param group_of of each buffer
std::vector<Group> groups_of(std::span<const ArenaBuffer> buffers, bool moving,
                             std::vector<int>& group_of) {
  std::vector<Group> groups;
  group_of.resize(buffers.size());
  std::vector<std::int64_t> offsets(buffers.size(), 0);  // from the first member's first byte
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const ArenaBuffer& buffer = buffers[i];
    if (buffer.overwrites == kNoBuffer || buffer.may_lie_apart || (moving && buffer.may_move)) {
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
  explicit Arena(std::span<ArenaBuffer> buffers, bool moving = false)
      : buffers_(buffers), groups_(groups_of(buffers, moving, group_of_)) {
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

  // Where the group takes bytes of placed ones that it may be written over: as near in front as it
  // may lie, or in the same place.
  [[nodiscard]] std::vector<std::int64_t> shared_offsets(int index) {
    const ArenaBuffer& first = buffer(group(index).members.front());
    std::vector<std::int64_t> offsets;
    for (const int under : {first.overwrites, first.instead}) {
      if (under == kNoBuffer ||
          (under == first.overwrites && !first.may_lie_apart && !first.may_move)) {
        continue;
      }
      const auto offset =
          offset_over(index, under, under == first.overwrites ? first.distance_bytes : 0);
      if (offset) {
        offsets.push_back(*offset);
      }
    }
    return offsets;
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

  // Where the group's first buffer begins at the distance from another; empty if that is not
  // placed, or something else is there.
  [[nodiscard]] std::optional<std::int64_t> offset_over(int index, int under,
                                                        std::int64_t distance_bytes) {
    const int other = group_of_[static_cast<std::size_t>(under)];
    if (std::find(placed_.begin(), placed_.end(), other) == placed_.end()) {
      return std::nullopt;
    }
    const std::vector<Member>& members = group(other).members;
    const auto below = std::find_if(members.begin(), members.end(),
                                    [&](const Member& m) { return m.buffer == under; });
    const Member& first = group(index).members.front();
    const std::int64_t offset =
        group(other).offset_bytes + below->offset_bytes + distance_bytes - first.offset_bytes;
    collect_forbidden(index, first.buffer, under);
    const bool is_free = std::none_of(
        forbidden_.begin(), forbidden_.end(),
        [&](const auto& interval) { return interval.first < offset && offset < interval.second; });
    return offset >= 0 && is_free ? std::optional(offset) : std::nullopt;
  }

  // The open intervals that the group's offset may not lie in; `over` and `under` may overlap.
  void collect_forbidden(int index, int over = kNoBuffer, int under = kNoBuffer) {
    forbidden_.clear();
    const Group& added = group(index);
    for (const int other : placed_) {
      const Group& there = group(other);
      if (added.first_step > there.last_step || there.first_step > added.last_step) {
        continue;
      }
      for (const Member& a : added.members) {
        for (const Member& b : there.members) {
          if (buffer(a).overlaps_in_time(buffer(b)) && (a.buffer != over || b.buffer != under)) {
            const std::int64_t begin = there.offset_bytes + b.offset_bytes - a.offset_bytes;
            forbidden_.emplace_back(begin - distance_before(a, b), begin + distance_before(b, a));
          }
        }
      }
    }
  }

  std::span<ArenaBuffer> buffers_;
  std::vector<int> group_of_;  // of each buffer
  std::vector<Group> groups_;
  std::vector<int> placed_;
  std::vector<std::pair<std::int64_t, std::int64_t>> forbidden_;
};

// With the nearest of those that the buffer is written over, one over the other, that is live.
// What may lie apart need not be where the next one is.
std::int64_t shared_bytes(std::span<const ArenaBuffer> buffers, const ArenaBuffer& buffer,
                          int step) {
  std::int64_t distance = buffer.distance_bytes;
  int index = buffer.overwrites;
  bool may_lie_apart = buffer.may_lie_apart;
  while (index != kNoBuffer && !buffers[static_cast<std::size_t>(index)].live_at(step)) {
    const ArenaBuffer& under = buffers[static_cast<std::size_t>(index)];
    distance += under.distance_bytes;
    index = may_lie_apart ? kNoBuffer : under.overwrites;
    may_lie_apart = under.may_lie_apart;
  }
  if (index == kNoBuffer) {
    return 0;
  }
  const std::int64_t end =
      std::min(buffers[static_cast<std::size_t>(index)].size_bytes, distance + buffer.size_bytes);
  return std::max(std::int64_t{0}, end - std::max(std::int64_t{0}, distance));
}

// Lets lie apart what may, where no more bytes are live than there is room for.
void drop_needless_overlaps(std::span<ArenaBuffer> buffers, std::int64_t capacity_bytes) {
  std::vector<std::int64_t> live = live_bytes(buffers);
  for (ArenaBuffer& buffer : buffers) {
    if (!buffer.may_lie_apart) {
      continue;
    }
    const auto without = [&](int step) {
      return live[static_cast<std::size_t>(step)] + aligned(shared_bytes(buffers, buffer, step));
    };
    bool is_needed = false;
    for (int step = buffer.first_step; step <= buffer.last_step; ++step) {
      is_needed = is_needed || without(step) > capacity_bytes;
    }
    if (!is_needed) {
      for (int step = buffer.first_step; step <= buffer.last_step; ++step) {
        live[static_cast<std::size_t>(step)] = without(step);
      }
      buffer.overwrites = kNoBuffer;
      buffer.distance_bytes = 0;
      buffer.may_lie_apart = false;
    }
  }
}

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
    if (const auto bytes = place_within(buffers, bound)) {
      return *bytes;
    }
    // Between a size that fails and one that fits.
    std::int64_t too_small = bound;
    Arena arena(buffers);
    std::int64_t enough = first_fit(
        arena, sorted_groups(arena.groups(), [](const Group& g) { return g.first_step; }));
    for (int attempt = 0; attempt < kAttempts && enough - too_small > kArenaAlignmentBytes;
         ++attempt) {
      const std::int64_t between = aligned(too_small + (enough - too_small) / 4);
      const std::optional<std::int64_t> bytes =
          between < enough ? place_within(buffers, between) : std::nullopt;
      if (bytes) {
        enough = *bytes;
      } else {
        too_small = between;
      }
    }
    return enough;
  }

 private:
  static constexpr int kAttempts = 8;
  static constexpr int kStepsPerGroup = 8;

  struct Variant {
    std::vector<ArenaBuffer> buffers;
    bool moving = false;
  };

  static bool may_overlap(std::span<const ArenaBuffer> buffers, const std::vector<int>& group_of,
                          std::size_t i, std::size_t j, bool in_one_place) {
    const ArenaBuffer& a = buffers[i];
    const int under = static_cast<int>(j);
    return group_of[i] == group_of[j] || (a.overwrites == under && !a.may_move) ||
           (a.may_move && in_one_place && (a.overwrites == under || a.instead == under));
  }

  // Whether no two that live together overlap but those that may. Members of a group are not
  // compared when it is placed.
  static bool is_sound(std::span<const ArenaBuffer> buffers, std::span<const ArenaBuffer> placed) {
    std::vector<int> group_of;
    groups_of(buffers, true, group_of);
    for (std::size_t i = 0; i < placed.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        const ArenaBuffer& a = placed[i];
        const ArenaBuffer& b = placed[j];
        if (!may_overlap(buffers, group_of, i, j, a.offset_bytes == b.offset_bytes) &&
            a.overlaps_in_time(b) && a.offset_bytes < b.offset_bytes + b.size_bytes &&
            b.offset_bytes < a.offset_bytes + a.size_bytes) {
          return false;
        }
      }
    }
    return true;
  }

  // The arena's size, where the search finds a place for all. What may share bytes is in the way of
  // what must: first with no more of it than this size asks for, as near as it may be, or nearer;
  // then with all of it.
  static std::optional<std::int64_t> place_within(std::span<ArenaBuffer> buffers,
                                                  std::int64_t capacity_bytes) {
    const std::vector<ArenaBuffer> all(buffers.begin(), buffers.end());
    std::vector<ArenaBuffer> needed = all;
    drop_needless_overlaps(needed, capacity_bytes);
    std::vector<ArenaBuffer> fixed = needed;
    for (ArenaBuffer& buffer : fixed) {
      buffer.may_lie_apart = false;
    }
    const bool is_rigid = std::none_of(
        all.begin(), all.end(), [](const ArenaBuffer& b) { return b.may_lie_apart || b.may_move; });
    std::vector<Variant> variants{{fixed, false}};
    if (!is_rigid) {
      variants.insert(variants.end(), {{fixed, true}, {needed, true}, {all, true}});
    }
    for (auto& [attempt, moving] : variants) {
      Arena arena(attempt, moving);
      if (fits(arena, capacity_bytes)) {
        const std::int64_t bytes = arena.finish();
        if (!is_sound(buffers, attempt)) {
          continue;
        }
        for (std::size_t i = 0; i < buffers.size(); ++i) {
          buffers[i].offset_bytes = attempt[i].offset_bytes;
        }
        return bytes;
      }
    }
    return std::nullopt;
  }

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
    std::vector<std::int64_t> choices{high, low};
    if (group.members.size() > 1) {
      std::swap(choices[0], choices[1]);
    }
    const std::vector<std::int64_t> shared = arena.shared_offsets(index);
    choices.insert(choices.begin(), shared.begin(), shared.end());
    for (std::size_t i = 0; i < choices.size(); ++i) {
      const auto here = choices.begin() + static_cast<std::ptrdiff_t>(i);
      if (std::find(choices.begin(), here, *here) != here) {
        continue;
      }
      arena.place(index, choices[i]);
      if (fits_from(arena, order, position + 1, capacity_bytes, steps)) {
        return true;
      }
      arena.take_back();
    }
    return false;
  }
};

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
