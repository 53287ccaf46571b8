#include "tests/deploy/support/float_twin.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "deploy/tflite/tflite_import.h"
#include "tests/deploy/support/float_file.h"
#include "tests/deploy/support/random_float.h"
#include "tflite_generated.h"

namespace patchnas::testing {
namespace {

tflite::BuiltinOperator code_of(const tflite::Model& model, const tflite::Operator& op) {
  const tflite::OperatorCode& code = *model.operator_codes()->Get(op.opcode_index());
  return std::max(code.builtin_code(),
                  static_cast<tflite::BuiltinOperator>(code.deprecated_builtin_code()));
}

// An operator that keeps the bytes and states another scale.
bool restates(const tflite::SubGraph& graph, const tflite::Operator& op) {
  const auto scale = [&](int tensor) {
    const auto* const q = graph.tensors()->Get(static_cast<std::uint32_t>(tensor))->quantization();
    return q == nullptr || q->scale() == nullptr || q->scale()->size() == 0 ? 0.0F
                                                                            : q->scale()->Get(0);
  };
  return scale(op.inputs()->Get(0)) != scale(op.outputs()->Get(0));
}

bool moves_bytes(tflite::BuiltinOperator code) {
  switch (code) {
    case tflite::BuiltinOperator::RESHAPE:
    case tflite::BuiltinOperator::TRANSPOSE:
    case tflite::BuiltinOperator::SQUEEZE:
    case tflite::BuiltinOperator::EXPAND_DIMS:
    case tflite::BuiltinOperator::BROADCAST_TO:
      return true;
    default:
      return false;
  }
}

// Margins in front of a maximum: in int8 the zero point may be the least value, which no maximum
// takes, in float 0 is none.
bool pads_maximum(const tflite::Model& model, const tflite::SubGraph& graph,
                  const tflite::Operator& op) {
  return code_of(model, op) == tflite::BuiltinOperator::MAX_POOL_2D &&
         std::any_of(graph.operators()->begin(), graph.operators()->end(),
                     [&](const tflite::Operator* other) {
                       return code_of(model, *other) == tflite::BuiltinOperator::PAD &&
                              other->outputs()->Get(0) == op.inputs()->Get(0);
                     });
}

bool has_twin(const std::vector<std::uint8_t>& file) {
  const tflite::Model& model = *tflite::GetModel(file.data());
  const tflite::SubGraph& graph = *model.subgraphs()->Get(0);
  return std::none_of(
      graph.operators()->begin(), graph.operators()->end(), [&](const tflite::Operator* op) {
        const tflite::BuiltinOperator code = code_of(model, *op);
        return code == tflite::BuiltinOperator::QUANTIZE ||
               code == tflite::BuiltinOperator::DEQUANTIZE ||
               (moves_bytes(code) && restates(graph, *op)) || pads_maximum(model, graph, *op);
      });
}

void expect_near(const std::vector<float>& a, const std::vector<float>& b, int layer) {
  ASSERT_EQ(a.size(), b.size()) << "layer " << layer;
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(a[i], b[i], 1e-5F * std::abs(b[i])) << "layer " << layer;
  }
}

}  // namespace

void expect_float_twin(const std::vector<std::uint8_t>& file) {
  if (!has_twin(file)) {
    return;
  }
  const QuantizedNetwork int8 = import_tflite(file, "int8");
  const FloatNetwork expected = dequantised(int8);
  const std::vector<std::uint8_t> floats = with_float_numbers(file);
  const FloatNetwork network = import_tflite_float(floats, "float");
  EXPECT_EQ(import_tflite_structure(floats, "float").network, network.network);
  ASSERT_EQ(network.network, expected.network);
  for (int i = 0; i < network.network.layer_count(); ++i) {
    const FloatLayer& own = network.layers[static_cast<std::size_t>(i)];
    const FloatLayer& other = expected.layers[static_cast<std::size_t>(i)];
    EXPECT_EQ(own.weights, other.weights) << "layer " << i;
    if (!own.bias.empty()) {
      expect_near(own.bias, other.bias, i);
    }
    EXPECT_EQ(own.constants, other.constants) << "layer " << i;
    EXPECT_EQ(own.constants_come_first, other.constants_come_first) << "layer " << i;
    EXPECT_EQ(own.leaky_slope, other.leaky_slope) << "layer " << i;
    const bool is_filled_later = int8.layers[static_cast<std::size_t>(i)].fill == 0;
    if (own.fill > kLeastFill && !is_filled_later) {
      EXPECT_EQ(own.fill, other.fill) << "layer " << i;
    }
  }
}

}  // namespace patchnas::testing
