#include "deploy/quantise/calibration.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "arch/base/random.h"
#include "deploy/quantise/quantise.h"

namespace patchnas {
namespace {

// Bell-shaped values with a few far outside; every second sample is cut at 0 as ReLU does.
std::vector<float> random_values(int index, RandomStream& stream) {
  const double spread = std::exp(4.0 * stream.uniform() - 2.0);
  const double centre = spread * (2.0 * stream.uniform() - 1.0);
  const double outlier = 2.0 + 20.0 * stream.uniform();
  std::vector<float> values;
  for (int i = 0; i < 20000; ++i) {
    double value = -2.0;
    for (int j = 0; j < 4; ++j) {
      value += stream.uniform();
    }
    value = centre + spread * value * (stream.chance(0.002) ? outlier : 1.0);
    values.push_back(static_cast<float>(index % 2 == 0 ? value : std::max(value, 0.0)));
  }
  return values;
}

ValueHistogram histogram_of(const std::vector<float>& values) {
  ValueHistogram histogram(widened(kNoValues, values));
  // In parts, as batches come.
  const std::span<const float> all(values);
  histogram.add(all.first(all.size() / 3));
  histogram.add(all.subspan(all.size() / 3));
  return histogram;
}

// By definition, from the values themselves.
double mean_squared_error(const std::vector<float>& values, const ValueRange& range) {
  const TensorQuantisation q = activation_quantisation(range);
  double sum = 0.0;
  for (const float value : values) {
    const double stored =
        std::clamp(std::round(double{value} / q.scale) + q.zero_point, -128.0, 127.0);
    const double error = value - q.scale * (stored - q.zero_point);
    sum += error * error;
  }
  return sum / static_cast<double>(values.size());
}

TEST(Calibration, HistogramsCountEveryValueOnce) {
  RandomStream stream(1, "test/histogram");
  for (int index = 0; index < 20; ++index) {
    const std::vector<float> values = random_values(index, stream);
    const ValueHistogram histogram = histogram_of(values);
    EXPECT_EQ(histogram.total(), static_cast<std::int64_t>(values.size()));
    EXPECT_EQ(histogram.range().min, *std::min_element(values.begin(), values.end()));
    EXPECT_EQ(histogram.range().max, *std::max_element(values.begin(), values.end()));
    const auto counted = histogram.counts();
    for (int i = 0; i < 20; ++i) {
      const int bin = static_cast<int>(stream.below(ValueHistogram::kBins));
      const auto below = std::count_if(values.begin(), values.end(),
                                       [&](float value) { return value < histogram.edge(bin); });
      std::int64_t sum = 0;
      for (int j = 0; j < bin; ++j) {
        sum += counted[static_cast<std::size_t>(j)];
      }
      EXPECT_NEAR(static_cast<double>(sum), static_cast<double>(below), 3.0);  // at the edge
    }
  }
}

TEST(Calibration, MinMaxAndPercentile100ClipNothing) {
  RandomStream stream(2, "test/min_max");
  for (int index = 0; index < 20; ++index) {
    const ValueHistogram histogram = histogram_of(random_values(index, stream));
    EXPECT_EQ(calibrated_range(histogram, {}), histogram.range());
    EXPECT_EQ(calibrated_range(histogram, {CalibrationMethod::kPercentile, 100.0}),
              histogram.range());
  }
}

TEST(Calibration, PercentileClipsItsShareAtEitherEnd) {
  RandomStream stream(3, "test/percentile");
  for (int index = 0; index < 20; ++index) {
    const std::vector<float> values = random_values(index, stream);
    const ValueHistogram histogram = histogram_of(values);
    const double bin = histogram.edge(1) - histogram.edge(0);
    for (const double percentile : {99.99, 99.0, 90.0}) {
      const ValueRange range =
          calibrated_range(histogram, {CalibrationMethod::kPercentile, percentile});
      const double allowed = (1.0 - percentile / 100.0) * static_cast<double>(values.size());
      const auto below = [&](double end) {
        return static_cast<double>(
            std::count_if(values.begin(), values.end(), [&](float value) { return value < end; }));
      };
      const auto above = [&](double end) {
        return static_cast<double>(
            std::count_if(values.begin(), values.end(), [&](float value) { return value > end; }));
      };
      EXPECT_LE(below(range.min - 0.01 * bin), allowed);
      EXPECT_LE(above(range.max + 0.01 * bin), allowed);
      EXPECT_GT(below(range.min + 1.01 * bin), allowed);
      EXPECT_GT(above(range.max - 1.01 * bin), allowed);
    }
  }
}

TEST(Calibration, NoCandidateRangeHasALowerErrorThanMse) {
  RandomStream stream(4, "test/mse");
  double least_gain = 1.0;
  for (int index = 0; index < 12; ++index) {
    const std::vector<float> values = random_values(index, stream);
    const ValueHistogram histogram = histogram_of(values);
    const ValueRange& full = histogram.range();
    const ValueRange chosen = calibrated_range(histogram, {CalibrationMethod::kMse});
    // A bin's width is what the histogram does not know.
    const double bin = histogram.edge(1) - histogram.edge(0);
    const double error = mean_squared_error(values, chosen) - 0.1 * bin * bin;
    EXPECT_LE(error, mean_squared_error(values, full));
    for (int i = 0; i < 60; ++i) {
      const ValueRange other{full.min * static_cast<float>(1 + stream.below(64)) / 64,
                             full.max * static_cast<float>(1 + stream.below(64)) / 64};
      EXPECT_LE(error, mean_squared_error(values, other)) << index;
      EXPECT_LE(squared_error(histogram, activation_quantisation(chosen)),
                squared_error(histogram, activation_quantisation(other)));
    }
    least_gain = std::min(least_gain, error / mean_squared_error(values, full));
  }
  EXPECT_LT(least_gain, 0.96) << "clipping outliers never paid";
}

TEST(Calibration, ConstantTensorsHaveARange) {
  for (const float value : {0.0F, 2.5F, -1.0F}) {
    const ValueHistogram histogram = histogram_of(std::vector<float>(100, value));
    for (const CalibrationMethod method :
         {CalibrationMethod::kMinMax, CalibrationMethod::kPercentile, CalibrationMethod::kMse}) {
      const ValueRange range = calibrated_range(histogram, {method});
      const TensorQuantisation q = activation_quantisation(range);
      EXPECT_NEAR(mean_squared_error({value}, range), 0.0, q.scale * q.scale);
    }
  }
}

}  // namespace
}  // namespace patchnas
