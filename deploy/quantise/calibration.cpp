#include "deploy/quantise/calibration.h"

#include <algorithm>
#include <vector>

#include "deploy/quantise/quantise.h"

namespace patchnas {
namespace {

constexpr int kFractions = 64;

struct WeightedValue {
  double value = 0.0;
  double count = 0.0;
};

std::vector<WeightedValue> weighted_values(const ValueHistogram& histogram) {
  std::vector<WeightedValue> result;
  for (int bin = 0; bin < ValueHistogram::kBins; ++bin) {
    if (const std::int64_t count = histogram.counts()[static_cast<std::size_t>(bin)]; count > 0) {
      result.push_back(
          {0.5 * (histogram.edge(bin) + histogram.edge(bin + 1)), static_cast<double>(count)});
    }
  }
  return result;
}

double squared_error(const std::vector<WeightedValue>& values,
                     const TensorQuantisation& quantisation) {
  const double scale = quantisation.scale;
  const double steps_per_value = 1.0 / scale;
  const double low = -128.0 - quantisation.zero_point;
  const double high = 127.0 - quantisation.zero_point;
  double sum = 0.0;
  for (const WeightedValue& v : values) {
    const double steps = std::min(std::max(v.value * steps_per_value, low), high);
    const double rounded = static_cast<int>(steps - low + 0.5) + low;
    const double error = v.value - scale * rounded;
    sum += v.count * error * error;
  }
  return sum;
}

// Fractions of an end of the range; one that is 0 stays.
std::vector<float> candidates(float end) {
  std::vector<float> result{end};
  for (int i = kFractions - 1; i > 0 && end != 0.0F; --i) {
    result.push_back(end * static_cast<float>(i) / kFractions);
  }
  return result;
}

ValueRange least_squared_error(const ValueHistogram& histogram) {
  const std::vector<WeightedValue> values = weighted_values(histogram);
  const ValueRange full{std::min(histogram.range().min, 0.0F),
                        std::max(histogram.range().max, 0.0F)};
  ValueRange best = full;
  double least = squared_error(values, activation_quantisation(full));
  for (const float min : candidates(full.min)) {
    for (const float max : candidates(full.max)) {
      const ValueRange range{min, max};
      const double error = squared_error(values, activation_quantisation(range));
      if (error < least) {
        least = error;
        best = range;
      }
    }
  }
  return best;
}

// The end of the first bin, counted from either side, up to which more than `share` of the values
// lie.
ValueRange without_tails(const ValueHistogram& histogram, double share) {
  const auto allowed = share * static_cast<double>(histogram.total());
  const auto counts = histogram.counts();
  ValueRange result = histogram.range();
  double below = 0.0;
  for (int bin = 0; bin < ValueHistogram::kBins; ++bin) {
    below += static_cast<double>(counts[static_cast<std::size_t>(bin)]);
    if (below > allowed) {
      result.min = static_cast<float>(histogram.edge(bin));
      break;
    }
  }
  double above = 0.0;
  for (int bin = ValueHistogram::kBins; bin > 0; --bin) {
    above += static_cast<double>(counts[static_cast<std::size_t>(bin - 1)]);
    if (above > allowed) {
      result.max = static_cast<float>(histogram.edge(bin));
      break;
    }
  }
  return result;
}

}  // namespace

double squared_error(const ValueHistogram& histogram, const TensorQuantisation& quantisation) {
  return squared_error(weighted_values(histogram), quantisation);
}

ValueRange calibrated_range(const ValueHistogram& histogram, const CalibrationRule& rule) {
  switch (rule.method) {
    case CalibrationMethod::kPercentile:
      return without_tails(histogram, 1.0 - rule.percentile / 100.0);
    case CalibrationMethod::kMse:
      return least_squared_error(histogram);
    case CalibrationMethod::kMinMax:
      break;
  }
  return histogram.range();
}

}  // namespace patchnas
