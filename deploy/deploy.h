#pragma once

// Front door of deploy/: a trained network in int8, its integer reference on the host, and .tflite
// files and C packages for microcontrollers.
//
//   QuantizedNetwork network = quantize(float_network, calibrated_ranges, PixelNormalisation{});
//   std::vector<std::int8_t> logits = run_layer_by_layer(network, image);
//   std::vector<std::uint8_t> file = export_tflite(network);
//   CPackage package = make_c_package(network, schedule, InputMode::kResident, "vww");
//
// Patch by patch, in the arena that memory_models plans: see arena_executor.h.

#include "arch/quantized_network.h"     // IWYU pragma: export
#include "deploy/arena_executor.h"      // IWYU pragma: export
#include "deploy/c_package.h"           // IWYU pragma: export
#include "deploy/calibration.h"         // IWYU pragma: export
#include "deploy/end_numbers.h"         // IWYU pragma: export
#include "deploy/quantize.h"            // IWYU pragma: export
#include "deploy/reference_executor.h"  // IWYU pragma: export
#include "deploy/tflite_export.h"       // IWYU pragma: export
#include "deploy/tflite_import.h"       // IWYU pragma: export
