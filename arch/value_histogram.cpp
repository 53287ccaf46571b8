#include "arch/value_histogram.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace patchnas {

ValueRange widened(const ValueRange& range, std::span<const float> values) {
  ValueRange result = range;
  for (const float value : values) {
    result.min = value < result.min ? value : result.min;
    result.max = value > result.max ? value : result.max;
  }
  return result;
}

ValueHistogram::ValueHistogram(const ValueRange& range)
    : range_(range), counts_(static_cast<std::size_t>(kBins), 0) {}

void ValueHistogram::add(std::span<const float> values) {
  const double width = double{range_.max} - double{range_.min};
  const auto bins_per_value = static_cast<float>(width > 0 ? kBins / width : 0.0);
  for (const float value : values) {
    const float bin = (value - range_.min) * bins_per_value;
    // In this order NaN lands in the first bin.
    ++counts_[static_cast<std::size_t>(bin > 0.0F ? std::min(bin, float{kBins - 1}) : 0.0F)];
  }
}

void ValueHistogram::add(const ValueHistogram& other) {
  std::transform(counts_.begin(), counts_.end(), other.counts_.begin(), counts_.begin(),
                 std::plus<>());
}

std::int64_t ValueHistogram::total() const {
  return std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0});
}

double ValueHistogram::edge(int bin) const {
  return double{range_.min} + (double{range_.max} - double{range_.min}) * bin / kBins;
}

}  // namespace patchnas
