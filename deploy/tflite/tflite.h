#pragma once

// Front door of deploy/tflite/: .tflite files, read and written.
//
//   const QuantizedNetwork network = import_tflite_file("model.tflite");
//   const std::vector<std::uint8_t> file = export_tflite(network);

#include "deploy/tflite/tflite_export.h"   // IWYU pragma: export
#include "deploy/tflite/tflite_import.h"   // IWYU pragma: export
#include "deploy/tflite/tflite_inspect.h"  // IWYU pragma: export
