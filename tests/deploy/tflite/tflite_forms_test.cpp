// What converters write besides plain layers: each form must give the bytes that its operators
// define, and come back equal when it is written.

#include <algorithm>
#include <functional>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "arch/fixed_point.h"
#include "deploy/reference/arena_executor.h"
#include "deploy/reference/end_numbers.h"
#include "deploy/reference/reference_executor.h"
#include "deploy/tflite/tflite_export.h"
#include "deploy/tflite/tflite_import.h"
#include "tests/deploy/support/file_builder.h"
#include "tests/deploy/support/form_files.h"
#include "tests/deploy/support/random_quantised.h"

namespace patchnas {
namespace {

using testing::error_of;
using testing::expect_round_trip;
using testing::File;
using testing::FileBuilder;
using ::testing::HasSubstr;
using testing::kIn;
using testing::kOut;
using testing::random_bytes;
using testing::run;
using testing::Values;
using tflite::ActivationFunctionType;
using tflite::BuiltinOperator;
using tflite::Padding;
using tflite::TensorType;

constexpr TensorQuantisation kPositive{0.05F, -20};  // behind RELU

// Layers, shapes and numbers, whatever the tensors are called.
QuantizedNetwork nameless(QuantizedNetwork network) {
  std::fill(network.network.names.begin(), network.network.names.end(), "");
  return network;
}

std::int8_t stored(std::int32_t sum, double factor, const TensorQuantisation& out,
                   std::int32_t lowest = -128) {
  const std::int32_t value = requantise(sum, quantise_multiplier(factor)) + out.zero_point;
  return static_cast<std::int8_t>(std::clamp(value, lowest, 127));
}

std::vector<float> scales(int count, RandomStream& stream) {
  std::vector<float> result;
  for (int i = 0; i < count; ++i) {
    result.push_back(0.001F + 0.00001F * static_cast<float>(stream.below(100)));
  }
  return result;
}

std::vector<float> times(std::vector<float> values, float factor) {
  for (float& value : values) {
    value *= factor;
  }
  return values;
}

std::vector<std::int32_t> random_biases(int count, RandomStream& stream) {
  std::vector<std::int32_t> result;
  for (int i = 0; i < count; ++i) {
    result.push_back(static_cast<std::int32_t>(stream.below(4000)) - 2000);
  }
  return result;
}

int elements(const std::vector<int>& shape) {
  return std::accumulate(shape.begin(), shape.end(), 1, std::multiplies<>());
}

// Weights and biases for an operator whose outputs are the weights' dimension `axis`.
std::vector<int> with_parameters(FileBuilder& file, int input, const std::vector<int>& shape,
                                 int axis, RandomStream& stream) {
  const int outputs = shape[static_cast<std::size_t>(axis)];
  const std::vector<float> per_channel = scales(outputs, stream);
  const std::string suffix = std::to_string(input);
  const int weights = file.weights("weights" + suffix, shape, random_bytes(elements(shape), stream),
                                   per_channel, axis);
  const int biases =
      file.biases("biases" + suffix, random_biases(outputs, stream), times(per_channel, kIn.scale));
  return {input, weights, biases};
}

// --- depthwise with a multiplier -----------------------------------------------------------------

TEST(TfliteForms, DepthwiseOfOneChannelWithAMultiplierIsAConvolution) {
  RandomStream stream(61, "multiplier");
  constexpr int kOutputs = 5;
  const Values weights = random_bytes(3 * 2 * kOutputs, stream);
  const std::vector<float> per_channel = scales(kOutputs, stream);
  const std::vector<std::int32_t> biases = random_biases(kOutputs, stream);
  FileBuilder file;
  const int image = file.activation("image", {1, 6, 7, 1}, kIn);
  const int w = file.weights("w", {1, 3, 2, kOutputs}, weights, per_channel, 3);
  const int b = file.biases("b", biases, times(per_channel, kIn.scale));
  const int out = file.activation("out", {1, 3, 7, kOutputs}, kOut);
  file.convolve_depthwise({image, w, b}, out, Padding::SAME, 2, 1, kOutputs);
  const File bytes = file.finish({image}, {out});

  const Values input = random_bytes(6 * 7, stream);
  Values expected;
  for (int row = 0; row < 3; ++row) {
    for (int col = 0; col < 7; ++col) {
      for (int o = 0; o < kOutputs; ++o) {
        std::int32_t sum = biases[static_cast<std::size_t>(o)];
        for (int y = 0; y < 3; ++y) {
          for (int x = 0; x < 2; ++x) {
            const int in_row = 2 * row + y;  // (3 - 1) * 2 + 3 - 6 = 1: padded at the bottom
            const int in_col = col + x;
            if (in_row < 6 && in_col < 7) {
              sum += weights[static_cast<std::size_t>((y * 2 + x) * kOutputs + o)] *
                     (input[static_cast<std::size_t>(in_row * 7 + in_col)] - kIn.zero_point);
            }
          }
        }
        expected.push_back(
            stored(sum,
                   double{kIn.scale} * double{per_channel[static_cast<std::size_t>(o)]} /
                       double{kOut.scale},
                   kOut));
      }
    }
  }
  EXPECT_EQ(run(bytes, input), expected);
  EXPECT_EQ(import_tflite(bytes, "form").network.layers[0].kind, LayerKind::kConv2d);
  expect_round_trip(bytes);
}

TEST(TfliteForms, OtherDepthMultipliersAreGroups) {
  RandomStream stream(62, "multiplier of channels");
  FileBuilder file;
  const int image = file.activation("image", {1, 4, 4, 3}, kIn);
  const int out = file.activation("out", {1, 4, 4, 6}, kOut);
  file.convolve_depthwise(with_parameters(file, image, {1, 3, 3, 6}, 3, stream), out, Padding::SAME,
                          1, 1, 2);
  const File bytes = file.finish({image}, {out});
  const QuantizedNetwork network = import_tflite(bytes, "form");
  EXPECT_EQ(network.network.layers[0].groups, 3);
  EXPECT_EQ(weight_count(network.network, 0), 3 * 3 * 6);
  EXPECT_EQ(import_tflite_structure(bytes, "form").network, network.network);
  // A channel's two outputs come from it alone.
  Values input = random_bytes(4 * 4 * 3, stream);
  const Values before = run(bytes, input);
  for (std::size_t i = 1; i < input.size(); i += 3) {
    input[i] = static_cast<std::int8_t>(~input[i]);
  }
  const Values after = run(bytes, input);
  for (std::size_t i = 0; i < after.size(); ++i) {
    EXPECT_TRUE(before[i] == after[i] || i % 6 / 2 == 1);
  }
  EXPECT_NE(before, after);
}

// --- fully connected layers on maps --------------------------------------------------------------

// A fully connected layer on `shape`, its output as `output_shape`.
File connected(const std::vector<int>& shape, const std::vector<int>& output_shape, int outputs,
               float weight_scale, const TensorQuantisation& in, RandomStream& stream) {
  FileBuilder file;
  const int inputs = shape.back();
  const int image = file.activation("image", shape, in);
  const int w = file.weights("w", {outputs, inputs}, random_bytes(outputs * inputs, stream),
                             {weight_scale}, 0);
  const int b = file.biases("b", random_biases(outputs, stream), {in.scale * weight_scale});
  const int out = file.activation("out", output_shape, kOut);
  file.connect({image, w, b}, out);
  return file.finish({image}, {out});
}

TEST(TfliteForms, FullyConnectedOnAMapIsAppliedToEveryPixel) {
  const std::vector<std::vector<int>> inputs{{1, 3, 2, 8}, {1, 6, 8}, {1, 3, 2, 8}};
  const std::vector<std::vector<int>> outputs{{6, 4}, {1, 6, 4}, {1, 3, 2, 4}};
  int other_in_double_precision = 0;
  for (int i = 0; i < 60; ++i) {
    const std::size_t form = static_cast<std::size_t>(i) % inputs.size();
    RandomStream stream(63 + static_cast<std::uint64_t>(i), "pixels");
    const TensorQuantisation in{scales(1, stream)[0] * 7, 3};
    const float weight_scale = scales(1, stream)[0];
    const RandomStream same = stream;
    const File map = connected(inputs[form], outputs[form], 4, weight_scale, in, stream);
    stream = same;
    const File pixel = connected({1, 8}, {1, 4}, 4, weight_scale, in, stream);
    const Values input = random_bytes(48, stream);
    Values expected;
    for (int p = 0; p < 6; ++p) {
      const Values one = run(pixel, {input.begin() + p * 8, input.begin() + (p + 1) * 8});
      expected.insert(expected.end(), one.begin(), one.end());
    }
    EXPECT_EQ(run(map, input), expected) << "form " << form;
    expect_round_trip(map);
    const Requantisation in_double =
        quantise_multiplier(double{in.scale} * double{weight_scale} / double{kOut.scale});
    other_in_double_precision +=
        import_tflite(map, "map").layers[0].requantisation[0] == in_double ? 0 : 1;
  }
  EXPECT_GT(other_in_double_precision, 10) << "the test must tell the two operators apart";
}

TEST(TfliteForms, FullyConnectedOnAMapWritesAllPixels) {
  RandomStream stream(72, "fewer pixels");
  for (const std::vector<int>& output : {std::vector<int>{1, 4}, {5, 4}, {7, 4}, {6, 2, 2}}) {
    EXPECT_THAT(error_of(connected({1, 3, 2, 8}, output, 4, 0.001F, kIn, stream)),
                HasSubstr("its output's shape does not follow from its inputs"));
  }
}

TEST(TfliteForms, FullyConnectedOnAMapMayReadAllOfIt) {
  RandomStream stream(64, "all");
  FileBuilder file;
  const int image = file.activation("image", {1, 3, 2, 8}, kIn);
  const int w = file.weights("w", {4, 48}, random_bytes(4 * 48, stream), {0.001F}, 0);
  const int out = file.activation("out", {1, 4}, kOut);
  file.connect({image, w, -1}, out);
  const QuantizedNetwork network = import_tflite(file.finish({image}, {out}), "form");
  EXPECT_EQ(network.network.layers[0].kind, LayerKind::kFullyConnected);
  EXPECT_EQ(network.network.input, (TensorShape{3, 2, 8}));
}

TEST(TfliteForms, FullyConnectedChecksScalesAsTensorFlowLiteMicroDoes) {
  const auto with_scales = [](float weight_scale, float bias_scale) {
    FileBuilder file;
    const int image = file.activation("image", {1, 2}, {0.5F, 0});
    const int w = file.weights("w", {1, 2}, {1, 2}, {weight_scale}, 0);
    const int b = file.biases("b", {1}, {bias_scale});
    const int out = file.activation("out", {1, 1}, {0.5F, 0});
    file.connect({image, w, b}, out);
    return error_of(file.finish({image}, {out}));
  };
  EXPECT_EQ(with_scales(0.5F, 0.25F), "");
  EXPECT_EQ(with_scales(0.5F, 0.259F), "");
  EXPECT_THAT(with_scales(0.5F, 0.27F), HasSubstr("must be the product"));
  EXPECT_EQ(with_scales(0.0F, 0.0F), "");
  EXPECT_THAT(with_scales(-0.5F, -0.25F), HasSubstr("must not be negative"));
}

// --- weight scales of 0 and below ----------------------------------------------------------------

TEST(TfliteForms, WeightScalesMayBeZeroOrNegative) {
  FileBuilder file;
  const int image = file.activation("image", {1, 1, 1, 1}, {0.5F, 0});
  const int w = file.weights("w", {3, 1, 1, 1}, {2, 2, 2}, {0.5F, 0.0F, -0.5F}, 0);
  const int out = file.activation("out", {1, 1, 1, 3}, {0.5F, 1});
  file.convolve({image, w, -1}, out, Padding::VALID, 1, 1);
  const File bytes = file.finish({image}, {out});
  EXPECT_EQ(run(bytes, {10}), (Values{11, 1, -9}));
  const auto multipliers = import_tflite(bytes, "form").layers[0].requantisation;
  EXPECT_EQ(multipliers[1], (Requantisation{0, 0}));
  EXPECT_EQ(multipliers[2], (Requantisation{-(1 << 30), 0}));
  expect_round_trip(bytes);
}

// --- reshapes ------------------------------------------------------------------------------------

// A convolution of [1, 4, 3, 2], which `lead` makes of the image.
File with_lead(const std::function<int(FileBuilder&, int& image)>& lead) {
  RandomStream stream(65, "lead");
  FileBuilder file;
  int image = 0;
  const int map = lead(file, image);
  const int out = file.activation("out", {1, 4, 3, 4}, kOut);
  file.convolve(with_parameters(file, map, {4, 3, 3, 2}, 0, stream), out, Padding::SAME, 1, 1);
  return file.finish({image}, {out});
}

int image_of(FileBuilder& file, int& image, const std::vector<int>& shape) {
  return image = file.activation("image", shape, kIn);
}

TEST(TfliteForms, TheImageHasTheShapeThatItsFirstLayerReads) {
  const File plain = with_lead([](FileBuilder& file, int& image) {
    return image_of(file, image, {1, 4, 3, 2});
  });
  const auto through = [](const std::vector<std::vector<int>>& shapes, BuiltinOperator code) {
    return with_lead([&](FileBuilder& file, int& image) {
      int tensor = image_of(file, image, shapes[0]);
      for (std::size_t i = 1; i < shapes.size(); ++i) {
        const int next = file.activation("view", shapes[i], kIn);
        file.add(code, {tensor}, {next});
        tensor = next;
      }
      return tensor;
    });
  };
  const QuantizedNetwork expected = nameless(import_tflite(plain, "plain"));
  for (const auto& shapes :
       std::vector<std::vector<std::vector<int>>>{{{1, 24}, {1, 4, 3, 2}},
                                                  {{24}, {1, 4, 3, 2}},
                                                  {{1, 12, 2}, {1, 4, 3, 2}},
                                                  {{1, 2, 3, 4}, {1, 4, 3, 2}},
                                                  {{1, 24}, {1, 8, 3}, {1, 24, 1, 1}, {1, 4, 3, 2}},
                                                  {{1, 1, 4, 3, 2}, {1, 4, 3, 2}}}) {
    EXPECT_EQ(nameless(import_tflite(through(shapes, BuiltinOperator::RESHAPE), "view")), expected);
  }
  for (const auto code : {BuiltinOperator::EXPAND_DIMS, BuiltinOperator::SQUEEZE}) {
    EXPECT_EQ(nameless(import_tflite(through({{4, 3, 2}, {1, 4, 3, 2}}, code), "view")), expected);
    EXPECT_EQ(import_tflite_structure(through({{1, 24}, {1, 4, 3, 2}}, code), "view").network.input,
              expected.network.input);
  }
  EXPECT_THAT(error_of(through({{1, 25}, {1, 4, 3, 2}}, BuiltinOperator::RESHAPE)),
              HasSubstr("operator 0 RESHAPE, tensor 1 'view': its output has another number of "
                        "elements than its input"));
}

TEST(TfliteForms, ReshapesMayStateAnotherScaleAtTheEnds) {
  const TensorQuantisation given{0.5F, 100};
  const File plain = with_lead([](FileBuilder& file, int& image) {
    return image_of(file, image, {1, 4, 3, 2});
  });
  const File file = with_lead([&](FileBuilder& builder, int& image) {
    image = builder.activation("image", {1, 24}, given);
    const int view = builder.activation("view", {1, 4, 3, 2}, kIn);
    builder.add(BuiltinOperator::RESHAPE, {image}, {view});
    return view;
  });
  RandomStream stream(66, "restated");
  const Values input = random_bytes(24, stream);
  EXPECT_EQ(run(file, input), run(plain, input)) << "bytes are bytes";
  const QuantizedNetwork network = import_tflite(file, "form");
  EXPECT_EQ(network.input_quantisation(), given);
  EXPECT_EQ(network.tensors[0], kIn);
  expect_round_trip(file);
}

TEST(TfliteForms, ReshapesThatStateAnotherScaleInsideCopyNoByte) {
  const TensorQuantisation stated{0.5F, 100};
  FileBuilder file;
  const int image = file.activation("image", {1, 2, 3, 4}, kIn);
  const int before = file.activation("before", {1, 2, 3, 4}, kIn);
  const int view = file.activation("view", {1, 3, 2, 4}, stated);
  const int after = file.activation("after", {1, 3, 2, 4}, stated);
  file.add(BuiltinOperator::RELU, {image}, {before});
  file.add(BuiltinOperator::RESHAPE, {before}, {view});
  file.add(BuiltinOperator::RELU, {view}, {after});
  const File bytes = file.finish({image}, {after});
  RandomStream stream(72, "restated");
  const Values input = random_bytes(24, stream);
  Values expected;
  for (const std::int8_t value : input) {
    expected.push_back(
        std::max({value, static_cast<std::int8_t>(kIn.zero_point), static_cast<std::int8_t>(100)}));
  }
  EXPECT_EQ(run(bytes, input), expected);
  EXPECT_EQ(import_tflite_structure(bytes, "form").network, import_tflite(bytes, "form").network);
}

TEST(TfliteForms, OperatorsThatOnlyComputeAShapeAreLeftOut) {
  FileBuilder file;
  const int image = file.activation("image", {1, 1, 1, 3}, {0.5F, 0});
  const int w = file.weights("w", {2, 1, 1, 3}, {1, 2, 3, 4, 5, 6}, {0.1F, 0.1F}, 0);
  const int conv = file.activation("conv", {1, 1, 1, 2}, kOut);
  const int shape = file.plain("shape", {4}, TensorType::INT32);
  const int size = file.plain("size", {1}, TensorType::INT32);
  const int packed = file.plain("packed", {2}, TensorType::INT32);
  const int out = file.activation("out", {1, 2}, kOut);
  file.convolve({image, w, -1}, conv, Padding::VALID, 1, 1);
  file.add(BuiltinOperator::SHAPE, {conv}, {shape});
  file.add(BuiltinOperator::STRIDED_SLICE, {shape}, {size});
  file.add(BuiltinOperator::PACK, {size, size}, {packed});
  file.add(BuiltinOperator::RESHAPE, {conv, packed}, {out});
  const File bytes = file.finish({image}, {out});
  EXPECT_EQ(error_of(bytes), "");
  EXPECT_EQ(import_tflite_structure(bytes, "form").network.layer_count(), 1);
}

// Keras' one-dimensional networks: [1, 1, W, C] for convolutions, [1, W, 1, C] for poolings.
File one_dimensional(bool turned, int kernel, RandomStream& stream) {
  FileBuilder file;
  const int image = file.activation("image", {1, 1, 12, 3}, kIn);
  const int conv = file.activation("conv", {1, 1, 12, 4}, kIn);
  file.convolve(with_parameters(file, image, {4, 1, 3, 3}, 0, stream), conv, Padding::SAME, 1, 1);
  int pooled = 0;
  const std::vector<int> weights = {4, turned ? 3 : kernel, turned ? kernel : 3, 4};
  if (turned) {
    const int column = file.activation("column", {1, 12, 1, 4}, kIn);
    const int half = file.activation("half", {1, 6, 1, 4}, kIn);
    pooled = file.activation("row", {1, 1, 6, 4}, kIn);
    file.add(BuiltinOperator::RESHAPE, {conv}, {column});
    file.pool(BuiltinOperator::MAX_POOL_2D, column, half, Padding::VALID, 2, 1, 2, 1);
    file.add(BuiltinOperator::RESHAPE, {half}, {pooled});
  } else {
    pooled = file.activation("row", {1, 1, 6, 4}, kIn);
    file.pool(BuiltinOperator::MAX_POOL_2D, conv, pooled, Padding::VALID, 1, 2, 1, 2);
  }
  const int flat = file.activation("flat", {1, 24}, kIn);
  const int out = file.activation("out", {1, 2}, kOut);
  file.add(BuiltinOperator::RESHAPE, {pooled}, {flat});
  const int w = file.weights("w", {2, 24}, random_bytes(48, stream), {0.001F}, 0);
  file.connect({flat, w, -1}, out);
  return file.finish({image}, {out});
}

TEST(TfliteForms, OneDimensionalNetworksAreReadAsRowsAndColumns) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    RandomStream one(seed, "one-dimensional");
    RandomStream other(seed, "one-dimensional");
    const QuantizedNetwork turned = import_tflite(one_dimensional(true, 1, one), "turned");
    EXPECT_EQ(nameless(turned),
              nameless(import_tflite(one_dimensional(false, 1, other), "upright")));
  }
}

TEST(TfliteForms, WindowsOverATurnedMapAreTurned) {
  // The same convolutions over a column that was a column, and over one that was a row.
  const auto made = [](bool was_row, bool depthwise, RandomStream& stream) {
    FileBuilder file;
    const std::vector<int> shape =
        was_row ? std::vector<int>{1, 1, 9, 4} : std::vector<int>{1, 9, 1, 4};
    const int image = file.activation("image", shape, kIn);
    const int pooled = file.activation("pooled", shape, kIn);
    file.pool(BuiltinOperator::MAX_POOL_2D, image, pooled, Padding::VALID, 1, 1, 1, 1);
    const int column = file.activation("column", {1, 9, 1, 4}, kIn);
    file.add(BuiltinOperator::RESHAPE, {pooled}, {column});
    const int padded = file.activation("padded", {1, 11, 1, 4}, kIn);
    const int margins = file.constant("margins", {4, 2}, {0, 0, 2, 0, 0, 0, 0, 0});
    file.add(BuiltinOperator::PAD, {column, margins}, {padded});
    const int out = file.activation("out", {1, 6, 1, 4}, kOut);
    if (depthwise) {
      file.convolve_depthwise(with_parameters(file, padded, {1, 5, 3, 4}, 3, stream), out,
                              Padding::SAME, 2, 1, 1);
    } else {
      file.convolve(with_parameters(file, padded, {4, 5, 3, 4}, 0, stream), out, Padding::SAME, 2,
                    1);
    }
    return file.finish({image}, {out});
  };
  for (const bool depthwise : {false, true}) {
    RandomStream one(67, "turned");
    RandomStream other(67, "turned");
    const File row = made(true, depthwise, one);
    const File column = made(false, depthwise, other);
    const Values input = random_bytes(36, one);
    EXPECT_EQ(run(row, input), run(column, input));
    EXPECT_EQ(import_tflite(row, "row").network.layers[1].output, (TensorShape{1, 6, 4}));
    expect_round_trip(row);
  }
}

// --- padding in front of poolings ----------------------------------------------------------------

struct PaddedPool {
  BuiltinOperator pad = BuiltinOperator::PAD;
  int fill = 0;  // PADV2's
  BuiltinOperator pool = BuiltinOperator::MAX_POOL_2D;
  ActivationFunctionType activation = ActivationFunctionType::RELU;
  TensorQuantisation tensor = kPositive;
};

File padded_pool(const PaddedPool& form, RandomStream& stream) {
  FileBuilder file;
  const int image = file.activation("image", {1, 7, 6, 2}, kIn);
  const int conv = file.activation("conv", {1, 7, 6, 4}, form.tensor);
  file.convolve(with_parameters(file, image, {4, 1, 1, 2}, 0, stream), conv, Padding::SAME, 1, 1,
                form.activation);
  const int padded = file.activation("padded", {1, 9, 8, 4}, form.tensor);
  std::vector<int> inputs{conv, file.constant("margins", {4, 2}, {0, 0, 1, 1, 1, 1, 0, 0})};
  if (form.pad == BuiltinOperator::PADV2) {
    inputs.push_back(
        file.constant8("fill", {}, {static_cast<std::int8_t>(form.fill)}, form.tensor));
  }
  file.add(form.pad, inputs, {padded});
  const int out = file.activation("out", {1, 4, 3, 4}, form.tensor);
  file.pool(form.pool, padded, out, Padding::VALID, 3, 3, 2, 2);
  return file.finish({image}, {out});
}

TEST(TfliteForms, MaximaOverPaddingThatNeverWins) {
  for (const PaddedPool& form :
       {PaddedPool{}, PaddedPool{.pad = BuiltinOperator::PADV2, .fill = kPositive.zero_point},
        PaddedPool{.pad = BuiltinOperator::PADV2, .fill = -128},
        PaddedPool{.activation = ActivationFunctionType::NONE, .tensor = {0.05F, -128}},
        PaddedPool{.pad = BuiltinOperator::PADV2,
        .fill = -128,
        .activation = ActivationFunctionType::NONE}}) {
    RandomStream stream(68, "padded maxima");
    const File bytes = padded_pool(form, stream);
    const QuantizedNetwork network = import_tflite(bytes, "form");
    const Values input = random_bytes(7 * 6 * 2, stream);
    const auto tensors = run_all_layers(network, input);
    // Over a copy that is really padded.
    const auto fill = static_cast<std::int8_t>(
        form.pad == BuiltinOperator::PADV2 ? form.fill : form.tensor.zero_point);
    Values padded(static_cast<std::size_t>(9 * 8 * 4), fill);
    for (int row = 0; row < 7; ++row) {
      std::copy_n(tensors[1].begin() + row * 24, 24, padded.begin() + (row + 1) * 32 + 4);
    }
    Values expected;
    for (int i = 0; i < 4 * 3 * 4; ++i) {
      std::int8_t largest = -128;
      for (int tap = 0; tap < 9; ++tap) {
        const int row = i / 12 * 2 + tap / 3;
        const int col = i / 4 % 3 * 2 + tap % 3;
        largest = std::max(largest, padded[static_cast<std::size_t>((row * 8 + col) * 4 + i % 4)]);
      }
      expected.push_back(largest);
    }
    EXPECT_EQ(tensors.back(), expected);
    expect_round_trip(bytes);
  }
}

// What pools no padding of its own is copied into a tensor that has it.
TEST(TfliteForms, PaddingThatCouldWinOrCountIsALayer) {
  for (const PaddedPool& form :
       {PaddedPool{.activation = ActivationFunctionType::NONE},
        PaddedPool{.pad = BuiltinOperator::PADV2, .fill = 5},
        PaddedPool{.pool = BuiltinOperator::AVERAGE_POOL_2D},
        PaddedPool{
            .pad = BuiltinOperator::PADV2, .fill = -7, .pool = BuiltinOperator::AVERAGE_POOL_2D}}) {
    RandomStream stream(69, "copied padding");
    const File bytes = padded_pool(form, stream);
    const QuantizedNetwork network = import_tflite(bytes, "form");
    ASSERT_EQ(network.network.layer_count(), 3);
    EXPECT_EQ(network.network.layers[1].kind, LayerKind::kPad);
    EXPECT_EQ(import_tflite_structure(bytes, "form").network, network.network);
    const auto tensors = run_all_layers(network, random_bytes(7 * 6 * 2, stream));
    const auto fill = static_cast<std::int8_t>(
        form.pad == BuiltinOperator::PADV2 ? form.fill : form.tensor.zero_point);
    Values padded(static_cast<std::size_t>(9 * 8 * 4), fill);
    for (int row = 0; row < 7; ++row) {
      std::copy_n(tensors[1].begin() + row * 24, 24, padded.begin() + (row + 1) * 32 + 4);
    }
    EXPECT_EQ(tensors[2], padded);
  }
}

// --- numbers at the ends and between -------------------------------------------------------------

TEST(TfliteForms, ConversionsAtTheEndsAreTheUsersNumbers) {
  const TensorQuantisation uint8_in{0.03F, 100};
  const TensorQuantisation uint8_out{0.2F, 128};
  for (const bool reshape_first : {false, true}) {
    for (const auto numbers : {EndNumbers::kUint8, EndNumbers::kFloat32}) {
      const bool real = numbers == EndNumbers::kFloat32;
      const TensorType type = real ? TensorType::FLOAT32 : TensorType::UINT8;
      FileBuilder file;
      const auto given = [&](const std::string& name, const std::vector<int>& shape,
                             const TensorQuantisation& q) {
        return real ? file.plain(name, shape, type) : file.activation(name, shape, q, type);
      };
      const int image = given("image", {1, 6}, uint8_in);
      const int view = reshape_first ? given("view", {1, 1, 2, 3}, uint8_in)
                                     : file.activation("view", {1, 6}, kIn);
      const int map = file.activation("map", {1, 1, 2, 3}, kIn);
      file.add(reshape_first ? BuiltinOperator::RESHAPE : BuiltinOperator::QUANTIZE, {image},
               {view});
      file.add(reshape_first ? BuiltinOperator::QUANTIZE : BuiltinOperator::RESHAPE, {view}, {map});
      RandomStream stream(70, "ends");
      const int conv = file.activation("conv", {1, 1, 2, 4}, kOut);
      file.convolve(with_parameters(file, map, {4, 1, 1, 3}, 0, stream), conv, Padding::SAME, 1, 1);
      int out = given("out", {1, 1, 2, 4}, uint8_out);
      file.add(real ? BuiltinOperator::DEQUANTIZE : BuiltinOperator::QUANTIZE, {conv}, {out});
      if (!reshape_first) {
        const int flat = given("flat", {1, 8}, uint8_out);
        file.add(BuiltinOperator::RESHAPE, {out}, {flat});
        out = flat;
      }
      const File bytes = file.finish({image}, {out});
      const QuantizedNetwork network = import_tflite(bytes, "form");
      EXPECT_EQ(network.network.layer_count(), 1);
      EXPECT_EQ(network.network.input, (TensorShape{1, 2, 3}));
      EXPECT_EQ(network.tensors[0], kIn);
      EXPECT_EQ(network.input_ends[0].numbers, numbers);
      EXPECT_EQ(network.output_ends[0].numbers, numbers);
      if (!real) {
        EXPECT_EQ(network.input_ends[0].uint8, uint8_in);
        EXPECT_EQ(network.output_ends[0].uint8, uint8_out);
      }
      EXPECT_EQ(import_tflite_structure(bytes, "form").network, network.network);
      expect_round_trip(bytes);
    }
  }
}

TEST(TfliteForms, QuantizeBetweenInt8TensorsIsALayer) {
  RandomStream stream(71, "requantise");
  const TensorQuantisation to{0.013F, -30};
  FileBuilder file;
  const int image = file.activation("image", {1, 2, 3, 4}, kIn);
  const int other = file.activation("other", {1, 2, 3, 4}, to);
  const int same = file.activation("same", {1, 2, 3, 4}, to);
  file.add(BuiltinOperator::QUANTIZE, {image}, {other});
  file.add(BuiltinOperator::QUANTIZE, {other}, {same});
  const File bytes = file.finish({image}, {same});
  EXPECT_EQ(import_tflite(bytes, "form").network.layer_count(), 1) << "the same scale is no layer";
  const Values input = random_bytes(24, stream);
  Values expected;
  for (const std::int8_t value : input) {
    expected.push_back(stored(value - kIn.zero_point, double{kIn.scale} / double{to.scale}, to));
  }
  EXPECT_EQ(run(bytes, input), expected);
  EXPECT_EQ(import_tflite_structure(bytes, "form").network, import_tflite(bytes, "form").network);
  expect_round_trip(bytes);
}

}  // namespace
}  // namespace patchnas
