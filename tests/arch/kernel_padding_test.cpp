#include <gtest/gtest.h>

#include "arch/arch.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

struct Axis1d {
  int output = 0;
  int pad_before = 0;
  int padded = 0;
};

// What TensorFlow Lite computes along one axis for PAD {before, after}, then a window.
Axis1d place(int input, int before, int after, int kernel, int stride, ImplicitPadding implicit) {
  Axis1d axis{.padded = before + input + after};
  if (implicit == ImplicitPadding::kSame) {
    axis.output = (axis.padded + stride - 1) / stride;
    const int total = (axis.output - 1) * stride + kernel - axis.padded;
    axis.pad_before = before + (total > 0 ? total / 2 : 0);
  } else {
    axis.output = axis.padded >= kernel ? (axis.padded - kernel) / stride + 1 : 0;
    axis.pad_before = before;
  }
  return axis;
}

TEST(WindowPadding, IsRecoveredFromKernelOutputAndPadOperator) {
  int checked = 0;
  for (int code = 0; code < 9 * 3 * 3 * 5 * 3 * 2; ++code) {
    int rest = code;
    const auto digit = [&rest](int base) {
      const int value = rest % base;
      rest /= base;
      return value;
    };
    const int input = 1 + digit(9);
    const int before = digit(3);
    const int after = digit(3);
    const int kernel = 1 + digit(5);
    const int stride = 1 + digit(3);
    const auto implicit = static_cast<ImplicitPadding>(digit(2));
    const Axis1d axis = place(input, before, after, kernel, stride, implicit);
    if (axis.output == 0) {
      continue;
    }
    Layer layer;
    layer.output = {axis.output, axis.output, 1};
    layer.kernel = {kernel, kernel, stride, stride, axis.pad_before, axis.pad_before};
    layer.pad_operator = {axis.padded, axis.padded};
    const auto found = kernel_padding({input, input, 1}, layer);
    ASSERT_TRUE(found) << code;
    EXPECT_EQ(found->top, before);
    EXPECT_EQ(found->bottom, after);
    EXPECT_EQ(found->left, before);
    EXPECT_EQ(found->right, after);
    if (found->implicit != implicit) {  // where SAME pads nothing, the two are one
      EXPECT_EQ(place(input, before, after, kernel, stride, found->implicit).output, axis.output);
    }
    ++checked;
  }
  EXPECT_GT(checked, 1500);
}

TEST(WindowPadding, EveryLoweredWindowHasOne) {
  RandomStream stream(31, "window padding");
  int operators = 0;
  for (int i = 0; i < 200; ++i) {
    const SearchSpace space = testing::random_space(stream);
    const Network network = lower(space, sample(space, stream));
    for (const Layer& layer : network.layers) {
      if (layer.kind != LayerKind::kConv2d && layer.kind != LayerKind::kDepthwiseConv2d) {
        EXPECT_FALSE(layer.pad_operator.is_present());
        continue;
      }
      EXPECT_TRUE(kernel_padding(network.shape(layer.inputs[0]), layer));
      if (space.padding == Padding::kSame) {
        EXPECT_FALSE(layer.pad_operator.is_present());
      }
      operators += layer.pad_operator.is_present() ? 1 : 0;
    }
  }
  EXPECT_GT(operators, 20);
}

TEST(WindowPadding, OperatorsThatDoNotGiveTheOutputAreRefused) {
  Network network{.input = {8, 8, 3}, .layers = {}, .names = {}};
  Layer layer;
  layer.output = {4, 4, 5};
  layer.kernel = {3, 3, 2, 2, 1, 1};
  layer.pad_operator = required_pad_operator(network.input, layer);
  EXPECT_EQ(layer.pad_operator, (PadOperator{9, 9}));
  network.layers = {layer};
  EXPECT_NO_THROW(validate(network));
  for (const PadOperator wrong : {PadOperator{9, 0}, {0, 9}, {8, 9}, {12, 9}, {-1, -1}}) {
    network.layers[0].pad_operator = wrong;
    EXPECT_THROW(validate(network), InputError) << wrong.height << "x" << wrong.width;
  }
}

}  // namespace
}  // namespace patchnas
