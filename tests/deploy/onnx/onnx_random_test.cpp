// Random networks, as PyTorch exports them, compute the same once they are imported.

#include <gtest/gtest.h>

#include "tests/deploy/onnx/traced_onnx.h"

namespace patchnas::testing {
namespace {

class RandomModel {
 public:
  explicit RandomModel(TracedOnnx& trace) : trace_(trace) {}

  void write() {
    TracedTensor x = trace_.input({1, between(1, 4), between(5, 12), between(5, 12)});
    for (int remaining = between(1, 7); remaining > 0; --remaining) {
      x = any(x);
    }
    trace_.output(chance(0.6) ? classifier(x) : x);
  }

 private:
  int between(int low, int high) {
    return low +
           static_cast<int>(trace_.stream().below(static_cast<std::uint64_t>(high - low + 1)));
  }
  bool chance(double share) { return trace_.stream().chance(share); }
  static int channels(const TracedTensor& x) { return x.array.dimensions[1]; }

  TracedTensor convolution(const TracedTensor& x, int outputs, int groups, int kernel) {
    const auto pad = std::int64_t{kernel / 2};
    std::vector<TracedTensor> inputs{
        x, trace_.weights({outputs, channels(x) / groups, kernel, kernel})};
    if (chance(0.5)) {
      inputs.push_back(trace_.constant({outputs}));
    }
    const auto stride = std::int64_t{chance(0.25) ? 2 : 1};
    TracedTensor y = trace_.node("Conv", inputs,
                                 {{"pads", Integers{pad, pad, pad, pad}},
                                  {"strides", Integers{stride, stride}},
                                  {"group", std::int64_t{groups}}});
    if (chance(0.6)) {
      y = trace_.node("BatchNormalization",
                      {y, trace_.positive({outputs}), trace_.constant({outputs}),
                       trace_.constant({outputs}), trace_.positive({outputs})});
    }
    return chance(0.5) ? trace_.node("Relu", {y}) : y;
  }

  TracedTensor residual(const TracedTensor& x) {
    TracedTensor y = x;
    for (int i = between(1, 2); i > 0; --i) {
      y = trace_.node("Conv", {y, trace_.weights({channels(x), channels(x), 3, 3})},
                      {{"pads", Integers{1, 1, 1, 1}}});
    }
    const TracedTensor sum = trace_.node("Add", {x, y});
    return chance(0.5) ? trace_.node("Relu", {sum}) : sum;
  }

  TracedTensor squeeze_and_excitation(const TracedTensor& x) {
    TracedTensor s = trace_.node("GlobalAveragePool", {x});
    s = trace_.node("Conv", {s, trace_.weights({3, channels(x), 1, 1})});
    s = trace_.node("Conv", {trace_.node("Relu", {s}), trace_.weights({channels(x), 3, 1, 1})});
    s = trace_.node(chance(0.5) ? "Sigmoid" : "HardSigmoid", {s});
    return trace_.node("Mul", {x, s});
  }

  TracedTensor shuffled(const TracedTensor& x) {
    const std::int64_t rows = x.array.dimensions[2];
    const std::int64_t cols = x.array.dimensions[3];
    TracedTensor y = trace_.node(
        "Reshape", {x, trace_.integers({1, channels(x) % 2 == 0 ? 2 : 1, -1, rows, cols})});
    y = trace_.node("Transpose", {y}, {{"perm", Integers{0, 2, 1, 3, 4}}});
    return trace_.node("Reshape", {y, trace_.integers({1, channels(x), rows, cols})});
  }

  TracedTensor any(const TracedTensor& x) {
    switch (between(0, 9)) {
      case 0:
        return convolution(x, channels(x), channels(x), 3);
      case 1:
        return residual(x);
      case 2:
        return squeeze_and_excitation(x);
      case 3:
        return trace_.node("MaxPool", {x},
                           {{"kernel_shape", Integers{2, 2}},
                            {"strides", Integers{1, 1}},
                            {"pads", Integers{0, 1, 1, 0}}});
      case 4:
        return shuffled(x);
      case 5:
        return trace_.node("Concat", {x, trace_.node("Tanh", {x})}, {{"axis", std::int64_t{1}}});
      case 6:
        return trace_.node("Mul",
                           {trace_.node("HardSwish", {x}), trace_.constant({channels(x), 1, 1})});
      case 7:
        return trace_.node("Slice",
                           {x, trace_.integers({0}), trace_.integers({x.array.dimensions[2]}),
                            trace_.integers({2}), trace_.integers({2})});
      default:
        return convolution(x, between(1, 8), 1, 1 + 2 * between(0, 2));
    }
  }

  TracedTensor classifier(TracedTensor x) {
    if (chance(0.5)) {
      x = trace_.node("GlobalAveragePool", {x});
    }
    x = trace_.node("Flatten", {x});
    const int inputs = x.array.dimensions[1];
    x = trace_.node("Gemm", {x, trace_.weights({5, inputs}), trace_.constant({5})},
                    {{"transB", std::int64_t{1}}});
    return chance(0.3) ? trace_.node("Softmax", {x}) : x;
  }

  TracedOnnx& trace_;
};

TEST(OnnxRandom, ImportedNetworksComputeTheSame) {
  constexpr int kNetworks = 60;
  RandomStream stream(7, "onnx random");
  for (int i = 0; i < kNetworks && !::testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE(i);
    TracedOnnx trace(stream);
    RandomModel(trace).write();
    expect_same(trace);
  }
}

}  // namespace
}  // namespace patchnas::testing
