#pragma once

// Somebody's float network as int8, and what that did to it.
//
//   const QuantisedModel model = quantise_model(import_tflite_float_file(path), samples, request);
//   write_file(out, export_tflite(model.network));

#include <cstdint>
#include <optional>
#include <vector>

#include "arch/float_network.h"
#include "arch/quantized_network.h"
#include "deploy/float/layer_noise.h"
#include "deploy/quantise/calibration.h"
#include "deploy/quantise/quantise.h"
#include "search/package/calibration_samples.h"

namespace patchnas {

struct QuantiseRequest {
  CalibrationRule calibration{};
  QuantisedEnds ends{};
  int count = 200;         ///< samples that ranges and noise are measured with, drawn at random
  std::uint64_t seed = 1;  ///< of the draw
};

/// Of the largest number of an output vector, over all samples.
struct TopOne {
  double agreement = 0.0;                ///< share where float and int8 choose the same; 0 to 1
  std::optional<double> float_accuracy;  ///< 0 to 1, where the samples have labels
  std::optional<double> int8_accuracy;
};

struct QuantisedModel {
  QuantizedNetwork network;
  int measured_samples = 0;       ///< for ranges and noise
  int samples = 0;                ///< all
  std::vector<LayerNoise> noise;  ///< one per layer
  /// Where the only output is a vector of several numbers.
  std::optional<TopOne> top_one;

  /// So many layers at most, of least decibels, the lowest first.
  [[nodiscard]] std::vector<int> worst_layers(int count) const;
};

/// prepare_for_int8(), calibration, quantise(), and both networks on all samples. Shows a progress
/// bar.
/// @throws InputError naming the layer that cannot be quantised; InterruptedError after a stop
/// signal.
QuantisedModel quantise_model(FloatNetwork network, const CalibrationSamples& samples,
                              const QuantiseRequest& request);

}  // namespace patchnas
