#pragma once

// What nodes compute of constants alone: exporters put shapes together in nodes, store weights with
// a DequantizeLinear behind them, and leave arithmetic of numbers to whoever reads the file.

#include <optional>

#include "deploy/onnx/onnx_shapes.h"

namespace patchnas {

/// The node's first output, of `constants` for all inputs; nothing if such nodes are not folded.
/// @throws FileObstacle naming the node if its inputs do not fit it.
std::optional<OnnxConstant> fold(const OnnxModel& model, const OnnxNode& node,
                                 const OnnxConstants& constants);

/// The dimensions of a value, as its Shape node gives them.
OnnxConstant shape_constant(const OnnxModel& model, const OnnxNode& node,
                            const std::vector<int>& dimensions);

/// Scale and zero point of a QuantizeLinear or DequantizeLinear of a tensor with these dimensions,
/// from its second and third input.
ConstantQuantisation quantisation_of(const OnnxModel& model, const OnnxNode& node,
                                     const std::vector<int>& dimensions,
                                     const OnnxConstants& constants);

/// The type that a QuantizeLinear makes: that of its zero point, else of its output_dtype.
ConstantType quantised_type(const OnnxModel& model, const OnnxNode& node,
                            const OnnxConstants& constants);

}  // namespace patchnas
