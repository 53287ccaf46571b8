#include "deploy/float/calibration_run.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "arch/base/error.h"
#include "arch/base/parallel.h"
#include "arch/value_histogram.h"
#include "deploy/float/float_executor.h"

namespace patchnas {
namespace {

void check_finite(const Network& network, int sample, const FloatTensors& tensors) {
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    if (!std::all_of(tensors[t].begin(), tensors[t].end(),
                     [](float value) { return std::isfinite(value); })) {
      const int layer = static_cast<int>(t) - 1;
      const bool is_input = static_cast<int>(t) < network.input_count();
      throw InputError(
          "sample " + std::to_string(sample) + ": " +
          (is_input ? "input " + std::to_string(t)
                    : "layer " + std::to_string(layer) + " (" + network.layer_name(layer) + ")") +
          " has a value that is not finite");
    }
  }
}

std::vector<ValueRange> value_ranges(const FloatExecutor& executor, const Network& network,
                                     std::span<const float> samples) {
  using Ranges = std::vector<ValueRange>;
  const auto tensor_count = static_cast<std::size_t>(network.tensor_count());
  std::vector<Ranges> of_threads(static_cast<std::size_t>(thread_count()),
                                 Ranges(tensor_count, kNoValues));
  executor.run_each(samples, [&](int thread, int sample, const FloatTensors& tensors) {
    check_finite(network, sample, tensors);
    Ranges& ranges = of_threads[static_cast<std::size_t>(thread)];
    for (std::size_t t = 0; t < tensor_count; ++t) {
      ranges[t] = widened(ranges[t], tensors[t]);
    }
  });
  Ranges result(tensor_count, kNoValues);
  for (const Ranges& ranges : of_threads) {
    for (std::size_t t = 0; t < tensor_count; ++t) {
      result[t] = {std::min(result[t].min, ranges[t].min), std::max(result[t].max, ranges[t].max)};
    }
  }
  return result;
}

std::vector<ValueHistogram> histograms(const FloatExecutor& executor,
                                       const std::vector<ValueRange>& ranges,
                                       std::span<const float> samples) {
  using Histograms = std::vector<ValueHistogram>;
  const Histograms empty(ranges.begin(), ranges.end());
  std::vector<Histograms> of_threads(static_cast<std::size_t>(thread_count()), empty);
  executor.run_each(samples, [&](int thread, int, const FloatTensors& tensors) {
    Histograms& own = of_threads[static_cast<std::size_t>(thread)];
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      own[t].add(tensors[t]);
    }
  });
  Histograms result = empty;
  for (const Histograms& own : of_threads) {
    for (std::size_t t = 0; t < result.size(); ++t) {
      result[t].add(own[t]);
    }
  }
  return result;
}

}  // namespace

std::vector<ValueRange> calibrated_ranges(const FloatNetwork& network,
                                          std::span<const float> samples,
                                          const CalibrationRule& rule,
                                          const BeforeEach& before_each) {
  const FloatExecutor executor(network, before_each);
  std::vector<ValueRange> ranges = value_ranges(executor, network.network, samples);
  if (rule.method == CalibrationMethod::kMinMax) {
    return ranges;
  }
  const std::vector<ValueHistogram> values = histograms(executor, ranges, samples);
  parallel_each(static_cast<int>(ranges.size()), [&](int, int tensor) {
    const auto t = static_cast<std::size_t>(tensor);
    ranges[t] = calibrated_range(values[t], rule);
  });
  return ranges;
}

}  // namespace patchnas
