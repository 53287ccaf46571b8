#pragma once

// From the values that a tensor takes over calibration images to the range that int8 resolves:
// a narrower one has finer steps, and clips what lies outside.
//
//   ValueRange range = calibrated_range(histogram, {CalibrationMethod::kMse});

#include <string_view>

#include "arch/float_network.h"
#include "arch/quantized_network.h"
#include "arch/value_histogram.h"

namespace patchnas {

/// kMinMax clips nothing. kPercentile clips a fixed share of the values at either end (Wu et al.,
/// 2020). kMse takes the range of least mean squared error between a value and what its int8 stands
/// for, clipping included (Choukroun et al., 2019).
enum class CalibrationMethod { kMinMax, kPercentile, kMse };
inline constexpr std::string_view kCalibrationMethodNames[] = {"min_max", "percentile", "mse"};

struct CalibrationRule {
  CalibrationMethod method = CalibrationMethod::kMinMax;
  double percentile = 99.99;  ///< kPercentile: in [50, 100]; 100 clips nothing
  bool operator==(const CalibrationRule&) const = default;
};

/// Within the histogram's range. kMse searches fractions of either end in steps of 1/64.
ValueRange calibrated_range(const ValueHistogram& histogram, const CalibrationRule& rule);

/// Sum over the histogram's values, each in the middle of its bin, of their squared error in int8.
double squared_error(const ValueHistogram& histogram, const TensorQuantisation& quantisation);

}  // namespace patchnas
