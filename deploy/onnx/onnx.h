#pragma once

// Front door of deploy/onnx/: .onnx files, float ones and those quantised to int8.
//
//   const FloatNetwork network = import_onnx_float(bytes, "model.onnx");
//   const QuantizedNetwork quantised = import_onnx(qdq_bytes, "model_int8.onnx");

#include "deploy/onnx/onnx_import.h"   // IWYU pragma: export
#include "deploy/onnx/onnx_inspect.h"  // IWYU pragma: export
