#include "memory_models/arena_planner.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <tuple>

namespace patchnas {
namespace {

using Order = std::vector<std::size_t>;

std::int64_t aligned(std::int64_t bytes) {
  return (bytes + kArenaAlignmentBytes - 1) / kArenaAlignmentBytes * kArenaAlignmentBytes;
}

// Gives each buffer, in the given order, the lowest gap between the buffers already placed that are
// live with it.
std::int64_t first_fit(std::vector<ArenaBuffer>& buffers, const Order& order) {
  std::int64_t arena_bytes = 0;
  std::vector<const ArenaBuffer*> placed;  // by offset
  for (const std::size_t index : order) {
    ArenaBuffer& buffer = buffers[index];
    std::int64_t offset = 0;
    for (const ArenaBuffer* other : placed) {
      if (!buffer.overlaps_in_time(*other)) {
        continue;
      }
      if (other->offset_bytes >= offset + aligned(buffer.size_bytes)) {
        break;
      }
      offset = std::max(offset, other->offset_bytes + aligned(other->size_bytes));
    }
    buffer.offset_bytes = offset;
    arena_bytes = std::max(arena_bytes, offset + aligned(buffer.size_bytes));
    const auto by_offset = [](const ArenaBuffer* a, const ArenaBuffer* b) {
      return a->offset_bytes < b->offset_bytes;
    };
    placed.insert(std::upper_bound(placed.begin(), placed.end(), &buffer, by_offset), &buffer);
  }
  return arena_bytes;
}

// Every order sorts by one criterion first; ties are broken so that the result is one for equal
// inputs.
std::vector<Order> candidate_orders(const std::vector<ArenaBuffer>& buffers) {
  using Key =
      std::function<std::tuple<std::int64_t, std::int64_t, std::int64_t>(const ArenaBuffer&)>;
  const Key keys[] = {
      [](const ArenaBuffer& b) {
        return std::tuple{-b.size_bytes, std::int64_t{b.first_layer}, std::int64_t{0}};
      },
      [](const ArenaBuffer& b) {
        return std::tuple{std::int64_t{b.first_layer - b.last_layer}, -b.size_bytes,
                          std::int64_t{b.first_layer}};
      },
      [](const ArenaBuffer& b) {
        return std::tuple{std::int64_t{b.first_layer}, -b.size_bytes, std::int64_t{0}};
      },
      [](const ArenaBuffer& b) {
        return std::tuple{-std::int64_t{b.last_layer}, -b.size_bytes, std::int64_t{0}};
      },
  };
  std::vector<Order> orders;
  for (const Key& key : keys) {
    Order& order = orders.emplace_back(buffers.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return key(buffers[a]) < key(buffers[b]);
    });
  }
  return orders;
}

// Buffers at the fullest moment first (largest on top of one another without gaps), then the others
// by their distance in time from it.
Order around_the_peak(const std::vector<ArenaBuffer>& buffers) {
  std::int64_t peak = -1;
  int peak_layer = 0;
  for (const ArenaBuffer& candidate : buffers) {
    std::int64_t live = 0;
    for (const ArenaBuffer& buffer : buffers) {
      live += buffer.live_at(candidate.first_layer) ? aligned(buffer.size_bytes) : 0;
    }
    if (live > peak) {
      peak = live;
      peak_layer = candidate.first_layer;
    }
  }
  const auto distance = [&](const ArenaBuffer& b) {
    return std::max({0, b.first_layer - peak_layer, peak_layer - b.last_layer});
  };
  Order order(buffers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const auto key = [&](const ArenaBuffer& x) {
      return std::tuple{distance(x), x.first_layer - x.last_layer, -x.size_bytes, x.first_layer};
    };
    return key(buffers[a]) < key(buffers[b]);
  });
  return order;
}

// Ping-pong: buffers in order of first use, alternately at the lowest and at the highest place that
// is free within `capacity_bytes`. Places any chain in its lower bound. Returns whether everything
// fits.
bool alternate_ends(std::vector<ArenaBuffer>& buffers, std::int64_t capacity_bytes) {
  Order order(buffers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return buffers[a].first_layer < buffers[b].first_layer;
  });
  // At the high end, offsets are counted downwards from the top of the arena.
  std::vector<ArenaBuffer> placed;
  bool from_top = false;
  for (const std::size_t index : order) {
    ArenaBuffer& buffer = buffers[index];
    const std::int64_t size = aligned(buffer.size_bytes);
    const auto begin = [&](const ArenaBuffer& b) {
      return from_top ? capacity_bytes - b.offset_bytes - aligned(b.size_bytes) : b.offset_bytes;
    };
    std::sort(placed.begin(), placed.end(),
              [&](const auto& a, const auto& b) { return begin(a) < begin(b); });
    std::int64_t offset = 0;
    for (const ArenaBuffer& other : placed) {
      if (buffer.overlaps_in_time(other) && begin(other) < offset + size) {
        offset = std::max(offset, begin(other) + aligned(other.size_bytes));
      }
    }
    if (offset + size > capacity_bytes) {
      return false;
    }
    buffer.offset_bytes = from_top ? capacity_bytes - offset - size : offset;
    placed.push_back(buffer);
    from_top = !from_top;
  }
  return true;
}

}  // namespace

std::int64_t arena_lower_bound(const std::vector<ArenaBuffer>& buffers) {
  std::int64_t bound = 0;
  for (const ArenaBuffer& candidate :
       buffers) {  // the number of live bytes only grows where a buffer begins
    std::int64_t live = 0;
    for (const ArenaBuffer& buffer : buffers) {
      live += buffer.live_at(candidate.first_layer) ? aligned(buffer.size_bytes) : 0;
    }
    bound = std::max(bound, live);
  }
  return bound;
}

std::int64_t place_buffers(std::vector<ArenaBuffer>& buffers) {
  if (buffers.empty()) {
    return 0;
  }
  const std::int64_t bound = arena_lower_bound(buffers);
  std::vector<Order> orders = candidate_orders(buffers);
  orders.push_back(around_the_peak(buffers));
  std::int64_t best_bytes = -1;
  std::vector<ArenaBuffer> best;
  for (const Order& order : orders) {
    std::vector<ArenaBuffer> attempt = buffers;
    const std::int64_t bytes = first_fit(attempt, order);
    if (best_bytes < 0 || bytes < best_bytes) {
      best_bytes = bytes;
      best = std::move(attempt);
    }
    if (best_bytes == bound) {
      break;
    }
  }
  if (best_bytes > bound) {
    std::vector<ArenaBuffer> attempt = buffers;
    if (alternate_ends(attempt, bound)) {
      best_bytes = bound;
      best = std::move(attempt);
    }
  }
  buffers = std::move(best);
  return best_bytes;
}

}  // namespace patchnas
