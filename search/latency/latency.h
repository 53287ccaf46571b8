#pragma once

// Front door of search/latency/: measuring operators on a target, and checking a table against
// whole programs.
//
//   LatencyFirmware firmware(RunTarget::kCortexM4);
//   LatencyMeasurement measurement("cortex-m4.txt", origin);
//   for (const OperatorKey& key : keys) measurement.measure(firmware.line(), key);
//   measurement.save();

#include "search/latency/latency_check.h"        // IWYU pragma: export
#include "search/latency/latency_firmware.h"     // IWYU pragma: export
#include "search/latency/latency_measurement.h"  // IWYU pragma: export
