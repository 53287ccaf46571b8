// Nodes that move elements or only view them, and the order of inputs and outputs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/deploy/onnx/onnx_operators.h"

namespace patchnas::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

using OnnxPlaces = OnnxOperators;

TEST_F(OnnxPlaces, InputsKeepTheOrderOfTheirChannels) {
  // Whoever reads them first: columns and channels reduced, channels shuffled.
  EXPECT_EQ(kinds_of("ReduceMean", {1, 3, 4, 5}, {{"axes", Integers{1, 3}}}).back(),
            LayerKind::kMean);
  EXPECT_EQ(
      kinds(
          {1, 4, 3, 5},
          [](TracedOnnx& t, TracedTensor x) {
            x = t.node("Reshape", {x, t.integers({1, 2, 2, 3, 5})});
            x = t.node("Transpose", {x}, {{"perm", Integers{0, 2, 1, 3, 4}}});
            return t.node("GlobalAveragePool", {t.node("Reshape", {x, t.integers({1, 4, 3, 5})})});
          }),
      (std::vector{LayerKind::kCopy, LayerKind::kMean}));
}

TEST_F(OnnxPlaces, ViewsCostNothing) {
  EXPECT_THAT(kinds({1, 3, 4, 5},
                    [](TracedOnnx& t, TracedTensor x) {
                      x = t.node("Conv", {x, t.constant({6, 3, 1, 1})});
                      x = t.node("Reshape", {x, t.integers({1, 6, 20})});
                      x = t.node("Transpose", {x}, {{"perm", Integers{0, 2, 1}}});
                      x = t.node("Unsqueeze", {x, t.integers({1})});
                      x = t.node("Squeeze", {x, t.integers({1})});
                      x = t.node("Transpose", {x}, {{"perm", Integers{0, 2, 1}}});
                      x = t.node("Reshape", {x, t.integers({1, 6, 4, 5})});
                      return t.node("Conv", {x, t.constant({2, 6, 1, 1})});
                    }),
              Each(LayerKind::kConv2d));
}

TEST_F(OnnxPlaces, ChannelShuffleIsOneCopy) {
  EXPECT_THAT(kinds({1, 3, 4, 5},
                    [](TracedOnnx& t, TracedTensor x) {
                      x = t.node("Conv", {x, t.constant({6, 3, 1, 1})});
                      x = t.node("Reshape", {x, t.integers({1, 2, 3, 4, 5})});
                      x = t.node("Transpose", {x}, {{"perm", Integers{0, 2, 1, 3, 4}}});
                      x = t.node("Reshape", {x, t.integers({1, -1, 4, 5})});
                      return t.node("Conv", {x, t.constant({2, 6, 1, 1})});
                    }),
              ElementsAre(LayerKind::kConv2d, LayerKind::kCopy, LayerKind::kConv2d));
}

// TensorFlow's models have channels last at their ends: the bytes stay as they are.
TEST_F(OnnxPlaces, TransposedInputsAreAsTheLayersReadThem) {
  for (const bool has_arithmetic : {false, true}) {
    TracedOnnx trace(stream_);
    OnnxBuilder& file = trace.file();
    TracedTensor image = trace.input({1, 3, 6, 5});
    onnx::TensorShapeProto& shape = *file.model()
                                         .mutable_graph()
                                         ->mutable_input(0)
                                         ->mutable_type()
                                         ->mutable_tensor_type()
                                         ->mutable_shape();
    shape.mutable_dim(1)->set_dim_value(6);
    shape.mutable_dim(2)->set_dim_value(5);
    shape.mutable_dim(3)->set_dim_value(3);
    if (has_arithmetic) {
      image = trace.node("Mul", {image, trace.constant({}, {0.5F})});
    }
    image.name = file.node("Transpose", {image.name}, {{"perm", Integers{0, 3, 1, 2}}});
    const TracedTensor one = trace.node("Conv", {image, trace.constant({4, 3, 3, 3})});
    const TracedTensor other = trace.node("Conv", {image, trace.constant({4, 3, 3, 3})});
    trace.output(trace.node("Add", {one, other}));
    const FloatNetwork network = expect_same(trace);
    EXPECT_EQ(network.network.input, (TensorShape{6, 5, 3}));
    EXPECT_EQ(network.network.layer_count(), has_arithmetic ? 4 : 3);
  }
}

TEST_F(OnnxPlaces, FlatInputsHaveTheShapeThatIsRead) {
  TracedOnnx trace(stream_);
  TracedTensor x = trace.node("Reshape", {trace.input({1, 30}), trace.integers({1, 1, 5, 6})});
  trace.output(trace.node("Conv", {x, trace.constant({4, 1, 3, 3})}));
  const FloatNetwork network = expect_same(trace);
  EXPECT_EQ(network.network.input, (TensorShape{5, 6, 1}));
  EXPECT_EQ(network.network.layer_count(), 1);
}

TEST_F(OnnxPlaces, ConcatenationsAlongEveryAxis) {
  for (const std::int64_t axis : {1, 2, 3, -3}) {
    const auto layers = kinds({1, 3, 4, 5}, [&](TracedOnnx& t, const TracedTensor& x) {
      return t.node("Concat", {x, t.node("Relu", {x}), t.node("Tanh", {x})}, {{"axis", axis}});
    });
    EXPECT_EQ(layers.back(), axis == 1 || axis == -3 ? LayerKind::kCopyChannels : LayerKind::kCopy);
  }
}

TEST_F(OnnxPlaces, SlicesAlongEveryAxis) {
  for (const std::int64_t axis : {1, 2, 3}) {
    for (const std::int64_t step : {1, 2}) {
      const auto layers = kinds({1, 6, 7, 8}, [&](TracedOnnx& t, const TracedTensor& x) {
        return t.node(
            "Slice", {x, t.integers({1}), t.integers({5}), t.integers({axis}), t.integers({step})});
      });
      EXPECT_THAT(layers, ElementsAre(axis == 1 && step == 1 ? LayerKind::kCopyChannels
                                                             : LayerKind::kCopy));
    }
  }
}

TEST_F(OnnxPlaces, SplitsAreSlices) {
  TracedOnnx trace(stream_);
  const TracedTensor x = trace.input({1, 6, 4, 5});
  const std::vector<std::string> parts =
      trace.file().nodes("Split", {x.name, trace.integers({2, 4}).name}, {{"axis", 1}}, 2);
  int begin = 0;
  for (const int count : {2, 4}) {
    TracedOnnx scratch(stream_);
    const NdArray part = computed("Slice",
                                  {x.array,
                                   {{1}, {static_cast<float>(begin)}},
                                   {{1}, {static_cast<float>(begin + count)}},
                                   {{1}, {1}},
                                   {{1}, {1}}},
                                  {});
    trace.output({parts[begin == 0 ? 0 : 1], part});
    begin += count;
  }
  EXPECT_EQ(expect_same(trace).network.outputs.size(), 2U);
}

TEST_F(OnnxPlaces, PaddingIsAPartOfTheConvolutionBehindIt) {
  const Integers pads{0, 0, 1, 0, 0, 0, 2, 1};
  EXPECT_THAT(
      kinds(
          {1, 3, 6, 6},
          [&](TracedOnnx& t, TracedTensor x) {
            x = t.node("Pad", {x, t.integers(pads)});
            return t.node("Conv", {x, t.constant({4, 3, 3, 3})}, {{"pads", Integers{0, 1, 0, 1}}});
          }),
      ElementsAre(LayerKind::kConv2d));
  EXPECT_THAT(kinds({1, 3, 6, 6},
                    [&](TracedOnnx& t, const TracedTensor& x) {
                      return t.node("Pad", {x, t.integers(pads), t.constant({}, {0.75F})});
                    }),
              ElementsAre(LayerKind::kCopy));
}

TEST_F(OnnxPlaces, Resizing) {
  const auto resized = [&](int rows, int cols, const OnnxAttributes& attributes) {
    return kinds({1, 3, 4, 8}, [&](TracedOnnx& t, const TracedTensor& x) {
      return t.node("Resize",
                    {x, TracedOnnx::none(), TracedOnnx::none(), t.integers({1, 3, rows, cols})},
                    attributes);
    });
  };
  for (const std::string coordinates : {"asymmetric", "align_corners", "half_pixel"}) {
    const int corner = coordinates == "align_corners" ? 1 : 0;
    EXPECT_THAT(resized(8 - corner, 16 - corner,
                        {{"mode", "linear"}, {"coordinate_transformation_mode", coordinates}})
                    .front(),
                LayerKind::kResize);
  }
  EXPECT_THAT(resized(8, 24,
                      {{"mode", "nearest"},
                       {"coordinate_transformation_mode", "asymmetric"},
                       {"nearest_mode", "floor"}}),
              ElementsAre(LayerKind::kResize));
}

TEST_F(OnnxPlaces, ShapesThatAreComputedAreConstants) {
  // x.view(x.size(0), -1), as PyTorch exports it.
  TracedOnnx trace(stream_);
  const TracedTensor x = trace.node("Relu", {trace.input({1, 3, 4, 5})});
  OnnxBuilder& file = trace.file();
  const std::string size = file.node("Gather", {file.node("Shape", {x.name}), file.integers({0})},
                                     {{"axis", std::int64_t{0}}});
  const std::string shape =
      file.node("Concat", {size, file.integers({-1})}, {{"axis", std::int64_t{0}}});
  TracedTensor flat{file.node("Reshape", {x.name, shape}), {{1, 60}, x.array.values}};
  trace.output(trace.node("Gemm", {flat, trace.constant({60, 4})}));
  EXPECT_EQ(expect_same(trace).network.layer_count(), 2);
}

TEST_F(OnnxPlaces, SeveralInputsAndOutputs) {
  TracedOnnx trace(stream_);
  const TracedTensor a = trace.input({1, 3, 4, 5});
  const TracedTensor b = trace.input({1, 3, 4, 5});
  const TracedTensor sum = trace.node("Add", {a, trace.node("Relu", {b})});
  trace.output(trace.node("Sigmoid", {sum}));
  trace.output(sum);
  const FloatNetwork network = expect_same(trace);
  EXPECT_EQ(network.network.input_count(), 2);
  EXPECT_EQ(network.network.outputs.size(), 2U);
}

TEST_F(OnnxPlaces, FlattenedOutputsAreInTheOrderOfTheFile) {
  EXPECT_THAT(kinds({1, 3, 4, 5},
                    [](TracedOnnx& t, const TracedTensor& x) {
                      return t.node("Flatten", {t.node("Relu", {x})});
                    }),
              ElementsAre(LayerKind::kLookup, LayerKind::kCopy));
}

}  // namespace
}  // namespace patchnas::testing
