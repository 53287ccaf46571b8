#pragma once

// What graphs of a few nodes become: each computes what ONNX defines, or the test fails.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/deploy/onnx/traced_onnx.h"

namespace patchnas::testing {

class OnnxOperators : public ::testing::Test {
 protected:
  RandomStream stream_{1, "onnx operators"};

  // The kinds of the layers that a graph of one input becomes.
  template <typename Build>
  std::vector<LayerKind> kinds(const std::vector<int>& input, const Build& build, int opset = 17) {
    TracedOnnx trace(stream_, opset);
    trace.output(build(trace, trace.input(input)));
    const FloatNetwork network = expect_same(trace);
    std::vector<LayerKind> result;
    for (const Layer& layer : network.network.layers) {
      result.push_back(layer.kind);
    }
    return result;
  }
  // Of one node, without constants.
  std::vector<LayerKind> kinds_of(const std::string& op, const std::vector<int>& input,
                                  const OnnxAttributes& attributes = {}, int opset = 17) {
    return kinds(
        input, [&](TracedOnnx& t, const TracedTensor& x) { return t.node(op, {x}, attributes); },
        opset);
  }
};

}  // namespace patchnas::testing
