#pragma once

// Front door of deploy/float/: a float network executed on the host, and what it says about its
// int8 form: the ranges to quantise with, and how much of every layer is left.
//
//   const FloatNetwork network = prepare_for_int8(import_tflite_float_file(path), pixels);
//   const std::vector<ValueRange> ranges = calibrated_ranges(network, samples, CalibrationRule{});
//   const QuantizedNetwork quantised = quantise(network, ranges, {.pixels = pixels});
//   const std::vector<LayerNoise> noise = layer_noise(network, quantised, samples);

#include "deploy/float/calibration_run.h"  // IWYU pragma: export
#include "deploy/float/float_executor.h"   // IWYU pragma: export
#include "deploy/float/layer_noise.h"      // IWYU pragma: export
