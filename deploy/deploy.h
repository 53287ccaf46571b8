#pragma once

// Front door of deploy/: a trained network in int8, its integer reference on the host, other
// people's .tflite and .onnx files, and C packages for microcontrollers.
//
//   std::vector<ValueRange> ranges = calibrated_ranges(float_network, samples, CalibrationRule{});
//   QuantizedNetwork network = quantise(float_network, ranges, {.pixels = PixelNormalisation{}});
//   std::vector<std::int8_t> logits = run_layer_by_layer(network, image);
//   std::vector<std::uint8_t> file = export_tflite(network);
//   CPackage package = make_c_package(network, schedule, InputMode::kResident, "vww");
//
// Patch by patch, in the arena that memory_models plans: see arena_executor.h.

#include "arch/quantized_network.h"               // IWYU pragma: export
#include "deploy/float/float.h"                   // IWYU pragma: export
#include "deploy/onnx/onnx_import.h"              // IWYU pragma: export
#include "deploy/package/c_package.h"             // IWYU pragma: export
#include "deploy/prepare/prepare.h"               // IWYU pragma: export
#include "deploy/quantise/calibration.h"          // IWYU pragma: export
#include "deploy/quantise/prepare_for_int8.h"     // IWYU pragma: export
#include "deploy/quantise/quantise.h"             // IWYU pragma: export
#include "deploy/reference/arena_executor.h"      // IWYU pragma: export
#include "deploy/reference/end_numbers.h"         // IWYU pragma: export
#include "deploy/reference/reference_executor.h"  // IWYU pragma: export
#include "deploy/tflite/tflite_export.h"          // IWYU pragma: export
#include "deploy/tflite/tflite_import.h"          // IWYU pragma: export
