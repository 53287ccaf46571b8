#pragma once

// ONNX's operators straight from their definitions, on arrays in the file's order: what imported
// networks are held against.

#include <string>
#include <vector>

#include "tests/deploy/onnx/nd_array.h"
#include "tests/deploy/support/onnx_builder.h"

namespace patchnas::testing {

/// The first output of such a node.
NdArray computed(const std::string& op, const std::vector<NdArray>& inputs,
                 const OnnxAttributes& attributes);

}  // namespace patchnas::testing
