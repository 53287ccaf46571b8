// Operators that few exported networks have, against ONNX's definitions.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "deploy/onnx/onnx.h"
#include "tests/deploy/onnx/onnx_operators.h"

namespace patchnas::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class OnnxFurtherOperators : public OnnxOperators {};

TEST_F(OnnxFurtherOperators, TransposedConvolutions) {
  struct Form {
    std::vector<int> weights;
    OnnxAttributes attributes;
  };
  for (const Form& form : std::vector<Form>{
           {{4, 5, 3, 3}, {}},
           {{4, 5, 3, 3}, {{"strides", Integers{2, 2}}, {"pads", Integers{1, 1, 1, 1}}}},
           {{4, 5, 3, 3},
            {{"strides", Integers{2, 2}},
             {"pads", Integers{1, 1, 1, 1}},
             {"output_padding", Integers{1, 1}}}},
           {{4, 2, 2, 2}, {{"strides", Integers{2, 2}}}},
           {{4, 3, 4, 2}, {{"strides", Integers{2, 1}}, {"pads", Integers{1, 0, 1, 1}}}}}) {
    for (const bool has_bias : {false, true}) {
      EXPECT_THAT(kinds({1, 4, 5, 6},
                        [&](TracedOnnx& t, const TracedTensor& x) {
                          std::vector<TracedTensor> inputs{x, t.constant(form.weights)};
                          if (has_bias) {
                            inputs.push_back(t.constant({form.weights[1]}));
                          }
                          return t.node("Relu", {t.node("ConvTranspose", inputs, form.attributes)});
                        }),
                  ElementsAre(LayerKind::kTransposeConv));
    }
  }
}

TEST_F(OnnxFurtherOperators, ClipsToAnyInterval) {
  const auto clipped = [&](bool is_behind_weights, float low, float high) {
    return kinds({1, 3, 4, 5}, [&](TracedOnnx& t, TracedTensor x) {
      if (is_behind_weights) {
        x = t.node("Conv", {x, t.constant({2, 3, 1, 1})});
      }
      return t.node("Clip", {x, t.constant({}, {low}), t.constant({}, {high})});
    });
  };
  EXPECT_THAT(clipped(true, -1, 1), ElementsAre(LayerKind::kConv2d));
  EXPECT_THAT(clipped(false, -1, 1), ElementsAre(LayerKind::kMaximum, LayerKind::kMinimum));
  EXPECT_THAT(clipped(false, -0.5F, 0.25F), ElementsAre(LayerKind::kMaximum, LayerKind::kMinimum));
  EXPECT_THAT(clipped(false, -0.5F, 3.4e38F), ElementsAre(LayerKind::kMaximum));
}

TEST_F(OnnxFurtherOperators, FunctionsOfOneValue) {
  EXPECT_THAT(kinds_of("Abs", {1, 3, 4, 5}), ElementsAre(LayerKind::kLookup));
  EXPECT_THAT(kinds_of("Elu", {1, 3, 4, 5}), ElementsAre(LayerKind::kLookup));
  EXPECT_THAT(kinds_of("Neg", {1, 3, 4, 5}), ElementsAre(LayerKind::kMultiply));
  EXPECT_THAT(kinds({1, 3, 4, 5},
                    [](TracedOnnx& t, const TracedTensor& x) {
                      return t.node("PRelu", {x, t.constant({3, 1, 1})});
                    }),
              ElementsAre(LayerKind::kPrelu));
}

TEST_F(OnnxFurtherOperators, ConstantsOfAnyShape) {
  for (const std::string op : {"Add", "Sub", "Mul", "Div", "Max", "Min"}) {
    for (const std::vector<int>& constant :
         {std::vector<int>{1, 3, 4, 5}, {3, 4, 5}, {4, 5}, {3, 1, 5}, {3, 4, 1}, {1, 4, 1}, {}}) {
      for (const bool is_first : {false, true}) {
        if (op == "Div" && is_first) {
          continue;
        }
        kinds({1, 3, 4, 5}, [&](TracedOnnx& t, const TracedTensor& x) {
          const TracedTensor c = t.positive(constant);
          return is_first ? t.node(op, {c, x}) : t.node(op, {x, c});
        });
        // Of one number for each channel, or one column.
        for (const std::vector<int>& smaller : {std::vector<int>{1, 3, 1, 1}, {1, 1, 4, 1}}) {
          kinds(smaller, [&](TracedOnnx& t, const TracedTensor& x) {
            const TracedTensor c = t.positive({1, 3, 4, 5});
            return is_first ? t.node(op, {c, x}) : t.node(op, {x, c});
          });
        }
      }
    }
  }
  EXPECT_THAT(kinds({1, 3, 4, 5},
                    [](TracedOnnx& t, const TracedTensor& x) {
                      return t.node("Mul", {x, t.constant({4, 5})});
                    }),
              ElementsAre(LayerKind::kMultiply));
}

TEST_F(OnnxFurtherOperators, MaximaAndMinimaOfTensors) {
  for (const std::string op : {"Max", "Min"}) {
    EXPECT_EQ(kinds({1, 3, 4, 5},
                    [&](TracedOnnx& t, const TracedTensor& x) {
                      return t.node(op, {t.node("Tanh", {x}), t.node("GlobalAveragePool", {x})});
                    })
                  .back(),
              op == "Max" ? LayerKind::kMaximum : LayerKind::kMinimum);
  }
}

TEST_F(OnnxFurtherOperators, ReductionsOverAnyAxes) {
  for (const std::string op : {"ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum"}) {
    for (const std::vector<int>& input : {std::vector<int>{1, 3, 4, 5}, {3, 4, 5}, {1, 6}}) {
      for (int subset = 1; subset < 1 << input.size(); ++subset) {
        Integers axes;
        for (int axis = 0; axis < static_cast<int>(input.size()); ++axis) {
          if ((subset >> axis & 1) != 0) {
            axes.push_back(axis);
          }
        }
        for (const std::int64_t keepdims : {0, 1}) {
          SCOPED_TRACE(op + " over subset " + std::to_string(subset) + " of " +
                       std::to_string(input.size()));
          kinds(
              input,
              [&](TracedOnnx& t, const TracedTensor& x) {
                // Neither its input's nor its output's order is left to it.
                const TracedTensor y =
                    t.node(op, {t.node("Tanh", {x}), t.integers(axes)}, {{"keepdims", keepdims}});
                return t.node("Reshape", {y, t.integers({-1})});
              },
              18);
        }
      }
    }
  }
  EXPECT_THAT(kinds_of("GlobalMaxPool", {1, 3, 4, 5}), ElementsAre(LayerKind::kMaxPool));
}

TEST_F(OnnxFurtherOperators, GathersOfConstantIndices) {
  for (const std::int64_t axis : {1, 2, 3}) {
    for (const Integers& indices :
         {Integers{0, 2}, {1, 2}, {2, 0, 1}, {-1, -3}, {1, 1, 1}, {0, 1, 2, 0}, {2}}) {
      kinds({1, 3, 4, 5}, [&](TracedOnnx& t, const TracedTensor& x) {
        return t.node("Gather", {t.node("Relu", {x}), t.integers(indices)}, {{"axis", axis}});
      });
    }
  }
  // Side by side in the channels: no element moves but by whole pixels.
  EXPECT_THAT(kinds({1, 3, 4, 5},
                    [](TracedOnnx& t, const TracedTensor& x) {
                      return t.node("Gather", {x, t.integers({1, 2})}, {{"axis", std::int64_t{1}}});
                    }),
              ElementsAre(LayerKind::kCopyChannels));
}

TEST_F(OnnxFurtherOperators, BlocksOfPixels) {
  for (const std::int64_t block : {2, 3}) {
    const auto side = static_cast<int>(block);
    for (const std::string mode : {"DCR", "CRD"}) {
      kinds_of("DepthToSpace", {1, 2 * side * side, 3, 4}, {{"blocksize", block}, {"mode", mode}});
    }
    kinds_of("SpaceToDepth", {1, 2, 2 * side, 3 * side}, {{"blocksize", block}});
  }
}

// What is an input today was an attribute once.
TEST_F(OnnxFurtherOperators, OfOlderOperatorSets) {
  const auto network = [](int opset) {
    OnnxBuilder file(opset);
    const bool is_old = opset < 10;
    std::string x = file.input({1, 3, 6, 6});
    const auto number = [&](float value) { return file.constant({}, {value}); };
    x = is_old ? file.node("Clip", {x}, {{"min", -0.5F}, {"max", 2.0F}})
               : file.node("Clip", {x, number(-0.5F), number(2.0F)});
    x = is_old
            ? file.node("Slice", {x},
                        {{"starts", Integers{1}}, {"ends", Integers{5}}, {"axes", Integers{2}}})
            : file.node("Slice", {x, file.integers({1}), file.integers({5}), file.integers({2})});
    const Integers pads{0, 0, 1, 0, 0, 0, 0, 2};
    x = is_old ? file.node("Pad", {x}, {{"pads", pads}, {"value", 0.25F}})
               : file.node("Pad", {x, file.integers(pads), number(0.25F)});
    file.output(file.node("Tanh", {x}));
    FloatNetwork result = import_onnx_float(file.bytes(), "it.onnx");
    result.network.names.clear();
    return result;
  };
  EXPECT_EQ(network(7), network(13));
  EXPECT_EQ(network(9), network(13));
}

std::string error_of(OnnxBuilder& file) {
  try {
    import_onnx_float(file.bytes(), "it.onnx");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST_F(OnnxFurtherOperators, SayWhatTheyDoNotAllow) {
  const auto error = [](const std::string& op, const Integers& numbers,
                        const OnnxAttributes& attributes) {
    OnnxBuilder file(18);
    const std::string x = file.input({1, 4, 4, 5});
    file.output(file.node(op, {x, file.integers(numbers)}, attributes));
    return error_of(file);
  };
  EXPECT_THAT(error("Gather", {4}, {{"axis", 1}}), HasSubstr("must be indices from -4 to 3"));
  Integers back_and_forth;
  for (int i = 0; i < 65; ++i) {
    back_and_forth.insert(back_and_forth.end(), {3, 0});
  }
  EXPECT_THAT(error("Gather", back_and_forth, {{"axis", 1}}),
              HasSubstr("in 66 runs of evenly spaced ones; allowed: from 1 to 64"));
  EXPECT_THAT(error("ReduceMean", {7}, {}), HasSubstr("names axis 7 of 4"));
  OnnxBuilder blocks;
  blocks.output(blocks.node("SpaceToDepth", {blocks.input({1, 2, 4, 5})}, {{"blocksize", 2}}));
  EXPECT_THAT(error_of(blocks), HasSubstr("has blocks of 2 rows, which do not divide its input"));
  OnnxBuilder groups;
  const std::string x = groups.input({1, 4, 3, 3});
  groups.output(groups.node(
      "ConvTranspose", {x, groups.constant({4, 2, 1, 1}, std::vector<float>(8))}, {{"group", 2}}));
  EXPECT_THAT(error_of(groups), HasSubstr("of one group"));
  OnnxBuilder three;
  const std::string y = three.input({1, 4, 3, 3});
  three.output(three.node("Max", {y, y, y}));
  EXPECT_THAT(error_of(three), HasSubstr("has 3 inputs; allowed: two"));
}

// Of an operator set that names the axes.
TEST_F(OnnxFurtherOperators, ResizeOfNamedAxes) {
  OnnxBuilder file(18);
  const std::string x = file.input({1, 3, 4, 5});
  file.output(file.node("Resize", {x, "", "", file.integers({8, 10})},
                        {{"axes", Integers{2, 3}}, {"mode", "linear"}}));
  EXPECT_EQ(import_onnx_float(file.bytes(), "it.onnx").network.output(), (TensorShape{8, 10, 3}));
}

}  // namespace
}  // namespace patchnas::testing
