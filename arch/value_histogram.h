#pragma once

// How often the values of a tensor occur, in a fixed amount of memory: what calibration looks at.
//
//   ValueRange range = kNoValues;
//   for (part of the values) range = widened(range, part);        // first pass
//   ValueHistogram histogram(range);
//   for (part of the values) histogram.add(part);                 // second pass

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "arch/float_network.h"

namespace patchnas {

/// Smallest range that holds `range` and `values`. NaN is not looked at.
ValueRange widened(const ValueRange& range, std::span<const float> values);
/// The range of no values at all; min > max.
inline constexpr ValueRange kNoValues{std::numeric_limits<float>::max(),
                                      std::numeric_limits<float>::lowest()};

/// Bins of equal width from the smallest to the largest value.
class ValueHistogram {
 public:
  static constexpr int kBins = 4096;

  /// @param range of all values that will be added; min <= max
  explicit ValueHistogram(const ValueRange& range);

  /// Values outside the range count as its ends.
  void add(std::span<const float> values);

  /// What another one of the same range counted.
  void add(const ValueHistogram& other);

  [[nodiscard]] const ValueRange& range() const { return range_; }
  [[nodiscard]] std::span<const std::int64_t> counts() const { return counts_; }
  [[nodiscard]] std::int64_t total() const;
  /// Lower end of a bin; edge(kBins) is the largest value.
  [[nodiscard]] double edge(int bin) const;

 private:
  ValueRange range_;
  std::vector<std::int64_t> counts_;
};

}  // namespace patchnas
