#pragma once

// Named random streams. Every draw comes from a stream derived from the run's seed and a name that
// says what it is for, so results depend neither on the order in which parts of the program run nor
// on where an interrupted run continued.
//
//   RandomStream stream(seed, "search/generation/3");
//   const int kernel = stream.pick(space.kernel_sizes);

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace patchnas {

/// SplitMix64 (Steele et al., OOPSLA 2014): tiny state, portable results, good enough for search.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::string_view name);

  std::uint64_t next();
  /// Uniform in [0, bound), without modulo bias; bound > 0.
  std::uint64_t below(std::uint64_t bound);
  /// Uniform in [0, 1) with 53 random bits.
  double uniform();
  bool chance(double probability) { return uniform() < probability; }

  template <typename T>
  const T& pick(const std::vector<T>& items) {
    return items[static_cast<std::size_t>(below(items.size()))];
  }

  /// Fisher-Yates.
  template <typename T>
  void shuffle(std::span<T> items) {
    for (std::size_t i = items.size(); i > 1; --i) {
      std::swap(items[i - 1], items[static_cast<std::size_t>(below(i))]);
    }
  }

 private:
  std::uint64_t state_;
};

}  // namespace patchnas
