// Every operator that computes, in the forms that exporters write, computes what ONNX defines.

#include "tests/deploy/onnx/onnx_operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace patchnas::testing {
namespace {

using ::testing::ElementsAre;

TEST_F(OnnxOperators, ConvolutionsInAllForms) {
  struct Form {
    std::vector<int> weights;
    OnnxAttributes attributes;
    LayerKind kind = LayerKind::kConv2d;
  };
  for (const Form& form : std::vector<Form>{
           {{5, 4, 3, 3}, {{"pads", Integers{1, 1, 1, 1}}}},
           {{5, 4, 3, 2}, {{"pads", Integers{0, 1, 2, 0}}, {"strides", Integers{2, 3}}}},
           {{5, 4, 1, 1}, {}},
           {{5, 4, 1, 1}, {{"pads", Integers{1, 1, 1, 1}}}},
           {{4, 4, 3, 3}, {{"auto_pad", "SAME_UPPER"}, {"strides", Integers{2, 2}}}},
           {{4, 4, 4, 4}, {{"auto_pad", "SAME_LOWER"}}},
           {{4, 4, 3, 3}, {{"auto_pad", "VALID"}}},
           {{4, 4, 3, 3}, {{"dilations", Integers{2, 2}}, {"pads", Integers{2, 2, 2, 2}}}},
           {{6, 2, 3, 3}, {{"group", std::int64_t{2}}}},
           {{8, 1, 3, 3}, {{"group", std::int64_t{4}}}},
           {{4, 1, 3, 3},
            {{"group", std::int64_t{4}}, {"pads", Integers{1, 1, 1, 1}}},
            LayerKind::kDepthwiseConv2d}}) {
    for (const bool has_bias : {false, true}) {
      const auto layers = kinds({1, 4, 9, 8}, [&](TracedOnnx& t, const TracedTensor& x) {
        std::vector<TracedTensor> inputs{x, t.constant(form.weights)};
        if (has_bias) {
          inputs.push_back(t.constant({form.weights[0]}));
        }
        return t.node("Conv", inputs, form.attributes);
      });
      EXPECT_EQ(layers.back(), form.kind);
    }
  }
}

TEST_F(OnnxOperators, ConvolutionsOfOneDimension) {
  EXPECT_THAT(kinds({1, 4, 16},
                    [](TracedOnnx& t, const TracedTensor& x) {
                      const TracedTensor y =
                          t.node("Conv", {x, t.constant({6, 4, 5}), t.constant({6})},
                                 {{"pads", Integers{2, 1}}, {"strides", Integers{2}}});
                      return t.node("MaxPool", {t.node("Relu", {y})},
                                    {{"kernel_shape", Integers{2}}, {"strides", Integers{2}}});
                    }),
              ElementsAre(LayerKind::kConv2d, LayerKind::kMaxPool));
}

TEST_F(OnnxOperators, ActivationsAndBatchNormsJoinTheLayerBefore) {
  for (const std::string activation : {"Relu", "Clip"}) {
    EXPECT_THAT(kinds({1, 3, 6, 6},
                      [&](TracedOnnx& t, TracedTensor x) {
                        x = t.node("Conv", {x, t.constant({4, 3, 3, 3})});
                        x = t.node("BatchNormalization", {x, t.positive({4}), t.constant({4}),
                                                          t.constant({4}), t.positive({4})});
                        return activation == "Relu"
                                   ? t.node("Relu", {x})
                                   : t.node("Clip", {x, t.constant({}, {0}), t.constant({}, {6})});
                      }),
                ElementsAre(LayerKind::kConv2d));
  }
}

TEST_F(OnnxOperators, WhatIsReadTwiceStaysALayer) {
  EXPECT_THAT(kinds({1, 3, 6, 6},
                    [](TracedOnnx& t, TracedTensor x) {
                      x = t.node("Conv", {x, t.constant({4, 3, 3, 3})});
                      return t.node("Add", {x, t.node("Relu", {x})});
                    }),
              ElementsAre(LayerKind::kConv2d, LayerKind::kLookup, LayerKind::kAdd));
}

TEST_F(OnnxOperators, BatchNormsByThemselves) {
  for (const std::vector<int>& input : {std::vector<int>{1, 3, 5, 4}, {1, 3}, {1, 3, 7}}) {
    EXPECT_THAT(kinds(input,
                      [](TracedOnnx& t, const TracedTensor& x) {
                        return t.node(
                            "BatchNormalization",
                            {x, t.positive({3}), t.constant({3}), t.constant({3}), t.positive({3})},
                            {{"epsilon", 1e-3F}});
                      }),
                ElementsAre(LayerKind::kDepthwiseConv2d));
  }
}

TEST_F(OnnxOperators, FullyConnectedLayersFollowTheOrderOfChannels) {
  for (const std::int64_t transposed : {0, 1}) {
    EXPECT_THAT(
        kinds({1, 3, 4, 5},
              [&](TracedOnnx& t, TracedTensor x) {
                x = t.node("Flatten", {x});
                x = t.node(
                    "Gemm",
                    {x, t.constant(transposed == 1 ? std::vector{7, 60} : std::vector{60, 7}),
                     t.constant({7})},
                    {{"transB", transposed}, {"alpha", 0.5F}, {"beta", 2.0F}});
                return t.node("Relu", {x});
              }),
        ElementsAre(LayerKind::kFullyConnected));
  }
}

TEST_F(OnnxOperators, MatricesOfEveryPixelArePointwise) {
  // Channels last in between, as in ConvNeXt.
  EXPECT_THAT(kinds({1, 6, 3, 4},
                    [](TracedOnnx& t, TracedTensor x) {
                      x = t.node("Transpose", {x}, {{"perm", Integers{0, 2, 3, 1}}});
                      x = t.node("MatMul", {x, t.constant({6, 5})});
                      x = t.node("Add", {t.constant({5}), x});
                      return t.node("Transpose", {x}, {{"perm", Integers{0, 3, 1, 2}}});
                    }),
              ElementsAre(LayerKind::kConv2d));
}

TEST_F(OnnxOperators, FunctionsOfOneValue) {
  for (const std::string op : {"Relu", "LeakyRelu", "Sigmoid", "Tanh", "HardSwish"}) {
    EXPECT_THAT(kinds_of(op, {1, 3, 4, 5}), ElementsAre(LayerKind::kLookup)) << op;
  }
  const OnnxAttributes sixth{{"alpha", 1.0F / 6.0F}, {"beta", 0.5F}};
  EXPECT_THAT(kinds({1, 3, 4, 5},
                    [&](TracedOnnx& t, const TracedTensor& x) {
                      return t.node("Mul", {x, t.node("HardSigmoid", {x}, sixth)});
                    }),
              ElementsAre(LayerKind::kLookup));
  EXPECT_THAT(kinds_of("HardSigmoid", {1, 3, 4, 5}, sixth),
              ElementsAre(LayerKind::kAdd, LayerKind::kMultiply));
  EXPECT_THAT(kinds_of("HardSigmoid", {1, 3, 4, 5}),
              ElementsAre(LayerKind::kMultiply, LayerKind::kAdd, LayerKind::kMultiply));
}

TEST_F(OnnxOperators, CombinationsWithConstants) {
  for (const std::string op : {"Add", "Sub", "Mul", "Div"}) {
    for (const std::vector<int>& constant : {std::vector<int>{}, {1}, {3, 1, 1}, {1, 3, 1, 1}}) {
      const auto with = [&](bool is_first) {
        return kinds({1, 3, 4, 5}, [&](TracedOnnx& t, const TracedTensor& x) {
          const TracedTensor c = t.positive(constant);
          return is_first ? t.node(op, {c, x}) : t.node(op, {x, c});
        });
      };
      EXPECT_EQ(with(false).size(), 1U) << op;
      if (op != "Div") {
        EXPECT_EQ(with(true).size(), 1U) << op;
      }
    }
  }
  // By columns: these become the channels.
  EXPECT_THAT(kinds({1, 3, 4, 5},
                    [](TracedOnnx& t, const TracedTensor& x) {
                      const TracedTensor y = t.node("Mul", {t.node("Relu", {x}), t.constant({5})});
                      return t.node("Conv", {y, t.constant({2, 3, 1, 1})});
                    }),
              ElementsAre(LayerKind::kLookup, LayerKind::kCopy, LayerKind::kMultiply,
                          LayerKind::kCopy, LayerKind::kConv2d));
}

TEST_F(OnnxOperators, CombinationsOfTensorsRepeatTheSmallerOne) {
  // Squeeze and excitation, the other way round as well.
  for (const bool is_first : {false, true}) {
    const auto layers = kinds({1, 6, 4, 5}, [&](TracedOnnx& t, const TracedTensor& x) {
      const TracedTensor s = t.node("Sigmoid", {t.node("GlobalAveragePool", {x})});
      return is_first ? t.node("Mul", {s, x}) : t.node("Mul", {x, s});
    });
    EXPECT_THAT(layers, ElementsAre(LayerKind::kMean, LayerKind::kLookup, LayerKind::kMultiply));
  }
  // Neither is the whole.
  EXPECT_EQ(kinds({1, 6, 4, 5},
                  [](TracedOnnx& t, const TracedTensor& x) {
                    const TracedTensor rows = t.node(
                        "ReduceMean", {x}, {{"axes", Integers{3}}, {"keepdims", std::int64_t{1}}});
                    const TracedTensor cols = t.node(
                        "ReduceMean", {x}, {{"axes", Integers{2}}, {"keepdims", std::int64_t{1}}});
                    return t.node("Sub", {rows, cols});
                  })
                .back(),
            LayerKind::kSubtract);
}

TEST_F(OnnxOperators, Poolings) {
  for (const std::string op : {"AveragePool", "MaxPool"}) {
    for (const std::int64_t ceil : {0, 1}) {
      for (const std::int64_t counts_zeros : {0, 1}) {
        OnnxAttributes attributes{{"kernel_shape", Integers{3, 2}},
                                  {"strides", Integers{2, 3}},
                                  {"pads", Integers{1, 0, 1, 1}},
                                  {"ceil_mode", ceil}};
        if (op == "AveragePool") {
          attributes["count_include_pad"] = counts_zeros;
        }
        const auto layers = kinds_of(op, {1, 3, 8, 9}, attributes);
        EXPECT_EQ(layers.size(), op == "AveragePool" && counts_zeros == 1 ? 2U : 1U);
      }
    }
  }
}

TEST_F(OnnxOperators, Reductions) {
  EXPECT_THAT(kinds_of("GlobalAveragePool", {1, 3, 4, 5}), ElementsAre(LayerKind::kMean));
  for (const std::string op : {"ReduceMean", "ReduceMax"}) {
    for (const Integers& axes : std::vector<Integers>{{2, 3}, {-1}, {2}, {-2, -1}}) {
      for (const std::int64_t keepdims : {0, 1}) {
        EXPECT_THAT(kinds_of(op, {1, 3, 4, 5}, {{"axes", axes}, {"keepdims", keepdims}}),
                    ElementsAre(op == "ReduceMean" ? LayerKind::kMean : LayerKind::kMaxPool));
      }
    }
  }
  // Over the steps of a sequence.
  EXPECT_THAT(kinds({1, 7, 5},
                    [](TracedOnnx& t, const TracedTensor& x) {
                      return t.node("ReduceMean", {t.node("Relu", {x})}, {{"axes", Integers{1}}});
                    }),
              ElementsAre(LayerKind::kLookup, LayerKind::kCopy, LayerKind::kMean));
}

TEST_F(OnnxOperators, Softmax) {
  EXPECT_THAT(kinds_of("Softmax", {1, 10}), ElementsAre(LayerKind::kSoftmax));
  EXPECT_THAT(kinds_of("Softmax", {1, 5, 3, 4}, {{"axis", std::int64_t{1}}}),
              ElementsAre(LayerKind::kSoftmax));
  EXPECT_THAT(kinds_of("Softmax", {1, 10}, {}, 11), ElementsAre(LayerKind::kSoftmax));
}

}  // namespace
}  // namespace patchnas::testing
