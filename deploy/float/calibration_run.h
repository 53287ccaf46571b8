#pragma once

// From samples to the ranges that a network is quantised with.
//
//   const auto ranges = calibrated_ranges(network, samples, {CalibrationMethod::kMse});

#include <span>
#include <vector>

#include "arch/base/parallel.h"
#include "arch/float_network.h"
#include "deploy/quantise/calibration.h"

namespace patchnas {

/// One per tensor: what `rule` makes of the values that it takes over all samples. Executes the
/// network once for each sample with kMinMax, else twice: for the ranges, then for histograms.
/// @param samples back to back, each all inputs one after the other
/// @param before_each of them
/// @throws InputError if they are none, or no whole number of samples, or if a tensor takes a value
/// that is not finite.
std::vector<ValueRange> calibrated_ranges(const FloatNetwork& network,
                                          std::span<const float> samples,
                                          const CalibrationRule& rule,
                                          const BeforeEach& before_each = {});

}  // namespace patchnas
