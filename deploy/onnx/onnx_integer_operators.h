#pragma once

// ONNX Runtime's other form of quantised networks: operators that read and write integers, each
// with its scales and zero points among its inputs (QLinearConv, com.microsoft.QLinearAdd, ...).
// They stand for the same operator of real numbers between DequantizeLinear and QuantizeLinear.

#include <string>
#include <vector>

#include "onnx.pb.h"

namespace patchnas {

/// Whether nodes of that kind, with the domain in front of its name, are taken apart.
bool is_taken_apart(const std::string& op);

/// Puts what they stand for in their place. What moves or compares integers that a QuantizeLinear
/// or such an operator made, as a MaxPool may, gets a DequantizeLinear and a QuantizeLinear as
/// well.
/// @returns for each node of the graph the index that the node which it comes from had
std::vector<int> take_integer_operators_apart(onnx::GraphProto& graph);

}  // namespace patchnas
