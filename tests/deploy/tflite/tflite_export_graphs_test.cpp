// Networks with everything that an imported one may have, written as .tflite files: what is read
// back from them computes the same bytes.

#include <algorithm>
#include <array>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "deploy/quantise/requantisation.h"
#include "deploy/reference/reference_executor.h"
#include "deploy/tflite/tflite_export.h"
#include "deploy/tflite/tflite_import.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/support/random_networks.h"
#include "tflite_generated.h"

namespace patchnas {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using File = std::vector<std::uint8_t>;
using Operators = std::vector<std::string>;

// In their order.
Operators operators_of(const File& file) {
  const tflite::Model& model = *tflite::GetModel(file.data());
  Operators names;
  for (const tflite::Operator* const op : *model.subgraphs()->Get(0)->operators()) {
    const tflite::OperatorCode* const code = model.operator_codes()->Get(op->opcode_index());
    names.emplace_back(tflite::EnumNameBuiltinOperator(code->builtin_code()));
  }
  return names;
}

void expect_same_bytes(const QuantizedNetwork& network, const QuantizedNetwork& read,
                       RandomStream& stream, int inputs) {
  ASSERT_EQ(read.network.input_elements(), network.network.input_elements());
  for (int i = 0; i < inputs; ++i) {
    const auto input = testing::random_bytes(network.network.input_elements(), stream);
    ASSERT_EQ(run_layer_by_layer(read, input), run_layer_by_layer(network, input));
  }
}

void expect_same_ends(const QuantizedNetwork& network, const QuantizedNetwork& read) {
  ASSERT_EQ(read.network.input_count(), network.network.input_count());
  for (TensorId input = 0; input < network.network.input_count(); ++input) {
    const auto i = static_cast<std::size_t>(input);
    EXPECT_EQ(read.network.shape(input), network.network.shape(input));
    EXPECT_EQ(read.input_quantisation(i), network.input_quantisation(i));
    EXPECT_EQ(read.input_ends[i].numbers, network.input_ends[i].numbers);
    EXPECT_EQ(read.input_ends[i].uint8, network.input_ends[i].uint8);
    EXPECT_TRUE(input == kImage ||
                read.network.layer_name(input - 1) == network.network.layer_name(input - 1));
  }
  const std::vector<TensorId> outputs = network.network.output_tensors();
  const std::vector<TensorId> read_outputs = read.network.output_tensors();
  ASSERT_EQ(read_outputs.size(), outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    EXPECT_EQ(read.output_quantisation(i), network.output_quantisation(i));
    EXPECT_EQ(read.output_ends[i].numbers, network.output_ends[i].numbers);
    EXPECT_EQ(read.output_ends[i].uint8, network.output_ends[i].uint8);
    EXPECT_EQ(read.network.shape(read_outputs[i]), network.network.shape(outputs[i]));
    EXPECT_EQ(read.network.layer_name(read_outputs[i] - 1),
              network.network.layer_name(outputs[i] - 1));
  }
}

TEST(TfliteExportGraphs, RandomGraphsComputeTheSameBytes) {
  RandomStream stream(51, "export of random graphs");
  for (int i = 0; i < 400; ++i) {
    const QuantizedNetwork network =
        testing::random_quantised(testing::random_graph(stream), stream);
    if (!testing::is_written_as_tflite(network.network)) {
      continue;
    }
    const File file = export_tflite(network);
    const QuantizedNetwork read = import_tflite(file, "exported");
    SCOPED_TRACE("network " + std::to_string(i));
    expect_same_bytes(network, read, stream, 2);
    expect_same_ends(network, read);
    EXPECT_EQ(export_tflite(network), file) << "the bytes must not change from call to call";
  }
}

NetworkEnd random_end(RandomStream& stream) {
  NetworkEnd end;
  end.numbers =
      stream.pick(std::vector{EndNumbers::kInt8, EndNumbers::kUint8, EndNumbers::kFloat32});
  if (end.numbers == EndNumbers::kUint8) {
    end.uint8 = {0.02F, static_cast<std::int32_t>(stream.below(256))};
  }
  if (stream.chance(0.3)) {
    end.restated = TensorQuantisation{0.3F, 12};
  }
  return end;
}

TEST(TfliteExportGraphs, EveryEndHasItsOwnNumbers) {
  RandomStream stream(57, "ends of random graphs");
  int inputs = 0;
  int outputs = 0;
  for (int i = 0; i < 100; ++i) {
    QuantizedNetwork network = testing::random_quantised(testing::random_graph(stream, 4), stream);
    if (!testing::is_written_as_tflite(network.network)) {
      continue;
    }
    for (std::vector<NetworkEnd>* const ends : {&network.input_ends, &network.output_ends}) {
      std::generate(ends->begin(), ends->end(), [&] { return random_end(stream); });
    }
    SCOPED_TRACE("network " + std::to_string(i));
    const QuantizedNetwork read = import_tflite(export_tflite(network), "exported");
    expect_same_bytes(network, read, stream, 1);
    expect_same_ends(network, read);
    inputs += network.input_ends.size() > 1 ? 1 : 0;
    outputs += network.output_ends.size() > 1 ? 1 : 0;
  }
  EXPECT_GT(inputs, 10);
  EXPECT_GT(outputs, 10);
}

// Elements of an array, every one or two apart along each dimension, which come in any order.
struct RandomSide {
  std::array<int, 3> strides{};
  int begin = 0;
  int elements = 1;
};

RandomSide random_side(const std::array<int, 3>& counts, RandomStream& stream) {
  const auto up_to = [&](int most) {
    return static_cast<int>(stream.below(static_cast<std::uint64_t>(most) + 1));
  };
  RandomSide side;
  std::array<std::size_t, 3> order{0, 1, 2};
  std::swap(order[0], order[stream.below(3)]);
  std::swap(order[1], order[1 + stream.below(2)]);
  for (const std::size_t axis : order) {
    const int step = 1 + up_to(1) * up_to(1);
    const int begin = up_to(1) * up_to(2);
    side.strides[axis] = step * side.elements;
    side.begin += begin * side.elements;
    side.elements *= begin + (counts[axis] - 1) * step + 1 + up_to(1) * up_to(2);
  }
  return side;
}

TensorShape random_shape(int elements, RandomStream& stream) {
  const auto divisor = [&](int number) {
    int found = 1 + static_cast<int>(stream.below(static_cast<std::uint64_t>(number)));
    while (number % found != 0) {
      --found;
    }
    return found;
  };
  const int height = divisor(elements);
  const int width = divisor(elements / height);
  return {height, width, elements / height / width};
}

// Into the image's place or over a further input.
Network random_copy(RandomStream& stream) {
  std::array<int, 3> counts{};
  std::generate(counts.begin(), counts.end(),
                [&] { return 1 + static_cast<int>(stream.below(4)); });
  RandomSide from = random_side(counts, stream);
  const RandomSide to = random_side(counts, stream);
  for (int& stride : from.strides) {
    stride = stream.chance(0.15) ? 0 : stride;
  }
  Layer layer;
  layer.kind = LayerKind::kCopy;
  layer.output = random_shape(to.elements, stream);
  layer.copy = {counts, from.strides, to.strides, from.begin, to.begin};
  Network network{.input = random_shape(from.elements, stream), .layers = {}, .names = {}};
  if (fills(layer) && stream.chance(0.5)) {
    network.layers.push_back({.kind = LayerKind::kInput, .output = layer.output, .kernel = {}});
    layer.inputs[1] = 1;
  }
  network.layers.push_back(layer);
  validate(network);
  return network;
}

TEST(TfliteExportGraphs, CopiesFromAnywhereToAnywhere) {
  RandomStream stream(53, "copies");
  for (int i = 0; i < 2000; ++i) {
    const QuantizedNetwork network = testing::random_quantised(random_copy(stream), stream);
    const QuantizedNetwork read = import_tflite(export_tflite(network), "exported");
    SCOPED_TRACE("copy " + std::to_string(i));
    expect_same_bytes(network, read, stream, 1);
    expect_same_ends(network, read);
  }
}

// Behind a 1x1 maximum pooling, so that the image keeps its shape.
QuantizedNetwork behind_a_pool(const TensorShape& input, const std::vector<Layer>& layers) {
  RandomStream stream(54, "behind a pool");
  Network network{.input = input, .layers = {}, .names = {}};
  network.layers.push_back({.kind = LayerKind::kMaxPool, .output = input, .kernel = {}});
  network.layers.insert(network.layers.end(), layers.begin(), layers.end());
  validate(network);
  QuantizedNetwork quantised = testing::random_quantised(network, stream);
  // As converters have them: bytes are copied within one scale.
  std::fill(quantised.tensors.begin(), quantised.tensors.end(), TensorQuantisation{0.05F, 3});
  return derive_arithmetic(std::move(quantised));
}

Operators operators_behind_a_pool(const TensorShape& input, const std::vector<Layer>& layers) {
  const QuantizedNetwork network = behind_a_pool(input, layers);
  const File file = export_tflite(network);
  RandomStream stream(55, "inputs");
  expect_same_bytes(network, import_tflite(file, "exported"), stream, 1);
  Operators operators = operators_of(file);
  operators.erase(operators.begin());
  return operators;
}

Layer copy_layer(const TensorShape& output, const StridedCopy& copy, TensorId rest = kNoTensor) {
  Layer layer{.kind = LayerKind::kCopy, .inputs = {1, rest}, .output = output, .kernel = {}};
  layer.copy = copy;
  return layer;
}

Layer channels_layer(const TensorShape& output, const ChannelRange& channels,
                     TensorId rest = kNoTensor) {
  Layer layer{
      .kind = LayerKind::kCopyChannels, .inputs = {1, rest}, .output = output, .kernel = {}};
  layer.channels = channels;
  return layer;
}

TEST(TfliteExportGraphs, CopiesAreTheOperatorsThatConvertersWrite) {
  const TensorShape in{4, 6, 5};
  const auto written = [&](const std::vector<Layer>& layers) {
    return operators_behind_a_pool(in, layers);
  };
  EXPECT_THAT(written({channels_layer({4, 6, 2}, {.from = 1, .to = 0, .count = 2})}),
              ElementsAre("SLICE"));
  EXPECT_THAT(written({channels_layer({4, 6, 7}, {.from = 0, .to = 1, .count = 5})}),
              ElementsAre("PADV2"));
  // Three parts of a concatenation along channels, and along rows.
  EXPECT_THAT(written({channels_layer({4, 6, 11}, {.from = 0, .to = 0, .count = 5}),
                       channels_layer({4, 6, 11}, {.from = 0, .to = 5, .count = 5}, 2),
                       channels_layer({4, 6, 11}, {.from = 3, .to = 10, .count = 1}, 3)}),
              ElementsAre("SLICE", "CONCATENATION"));
  const StridedCopy above{{1, 1, 120}, {0, 0, 1}, {0, 0, 1}, 0, 0};
  const StridedCopy below{{1, 1, 120}, {0, 0, 1}, {0, 0, 1}, 0, 120};
  EXPECT_THAT(written({copy_layer({8, 6, 5}, above), copy_layer({8, 6, 5}, below, 2)}),
              ElementsAre("CONCATENATION"));
  // Every second row, columns for rows, channels first, margins, one row for all.
  EXPECT_THAT(written({copy_layer({2, 6, 5}, {{2, 6, 5}, {60, 5, 1}, {30, 5, 1}})}),
              ElementsAre("STRIDED_SLICE"));
  EXPECT_THAT(written({copy_layer({6, 4, 5}, {{6, 4, 5}, {5, 30, 1}, {20, 5, 1}})}),
              ElementsAre("TRANSPOSE"));
  EXPECT_THAT(written({copy_layer({5, 4, 6}, {{5, 4, 6}, {1, 30, 5}, {24, 6, 1}})}),
              ElementsAre("TRANSPOSE"));
  EXPECT_THAT(written({copy_layer({6, 9, 5}, {{4, 6, 5}, {30, 5, 1}, {45, 5, 1}, 0, 55})}),
              ElementsAre("PADV2"));
  EXPECT_THAT(written({copy_layer({3, 6, 5}, {{3, 6, 5}, {0, 5, 1}, {30, 5, 1}, 30})}),
              ElementsAre("SLICE", "BROADCAST_TO"));
  // An output's bytes in another shape are a tensor of their own; others are the same tensor's.
  const Layer reshaped = copy_layer({1, 24, 5}, {{4, 6, 5}, {30, 5, 1}, {30, 5, 1}});
  const Layer pooled{
      .kind = LayerKind::kMaxPool, .inputs = {2, kNoTensor}, .output = {1, 24, 5}, .kernel = {}};
  EXPECT_THAT(written({reshaped}), ElementsAre("RESHAPE", "SLICE"));
  EXPECT_THAT(written({reshaped, pooled}), ElementsAre("RESHAPE", "MAX_POOL_2D"));
}

// The importer takes an image's shape from the first RESHAPE that it finds.
TEST(TfliteExportGraphs, TheImageHasItsShapeWhateverCopiesMakeOfIt) {
  RandomStream stream(60, "image");
  Network network{.input = {4, 6, 5}, .layers = {}, .names = {}};
  network.layers.push_back(copy_layer({1, 24, 5}, {{4, 6, 5}, {30, 5, 1}, {30, 5, 1}}));
  network.layers.push_back(copy_layer({4, 6, 5}, {{4, 6, 5}, {30, 5, 1}, {30, 5, 1}}));
  network.layers.push_back(
      {.kind = LayerKind::kMaxPool, .output = {2, 3, 5}, .kernel = {2, 2, 2, 2}});
  network.layers[0].inputs[0] = network.layers[1].inputs[0] = kImage;
  network.outputs = {1, 3, 2};
  validate(network);
  const QuantizedNetwork quantised = testing::random_quantised(network, stream);
  const QuantizedNetwork read = import_tflite(export_tflite(quantised), "exported");
  expect_same_bytes(quantised, read, stream, 1);
  expect_same_ends(quantised, read);
}

TEST(TfliteExportGraphs, AConcatenationHasAnyNumberOfParts) {
  std::vector<Layer> layers;
  for (int part = 0; part < 23; ++part) {
    layers.push_back(channels_layer({4, 6, 46}, {.from = 1, .to = 2 * part, .count = 2},
                                    part == 0 ? kNoTensor : part + 1));
  }
  const Operators operators = operators_behind_a_pool({4, 6, 5}, layers);
  EXPECT_EQ(std::count(operators.begin(), operators.end(), "CONCATENATION"), 4);
  EXPECT_EQ(std::count(operators.begin(), operators.end(), "SLICE"), 23);
  EXPECT_EQ(operators.size(), 27U);
}

TEST(TfliteExportGraphs, WindowsThatOverlapAreCopiedOneByOne) {
  EXPECT_THAT(
      operators_behind_a_pool({1, 1, 7},
                              {copy_layer({1, 3, 3}, {{1, 3, 3}, {0, 2, 1}, {0, 3, 1}})}),
      ElementsAre("RESHAPE", "SLICE", "SLICE", "SLICE", "CONCATENATION", "RESHAPE", "SLICE"));
}

TEST(TfliteExportGraphs, RefusesCopiesToPlacesThatLieBetweenOneAnother) {
  const QuantizedNetwork interleaved =
      behind_a_pool({1, 1, 6}, {copy_layer({1, 1, 9}, {{1, 2, 3}, {0, 3, 1}, {0, 3, 2}})});
  try {
    export_tflite(interleaved);
    FAIL() << "must be refused";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("layer 1 (layer1.copy): copies to places between which"));
  }
}

// Of each channel by itself it is one of DEPTHWISE_CONV_2D where that has an operator of its own.
TEST(TfliteExportGraphs, ConvolutionsInGroups) {
  RandomStream stream(56, "groups");
  const auto written = [&](int groups, int outputs, int dilation) {
    Network network{.input = {6, 7, 4}, .layers = {}, .names = {}};
    network.layers.push_back(
        {.output = {6, 7, outputs}, .kernel = {3, 3, 1, 1, dilation, dilation}});
    network.layers[0].kernel.dilation_h = network.layers[0].kernel.dilation_w = dilation;
    network.layers[0].groups = groups;
    const QuantizedNetwork quantised = testing::random_quantised(network, stream);
    const File file = export_tflite(quantised);
    EXPECT_EQ(import_tflite(file, "exported").network.layers, network.layers);
    expect_same_bytes(quantised, import_tflite(file, "exported"), stream, 1);
    return operators_of(file);
  };
  EXPECT_THAT(written(4, 4, 2), ElementsAre("DEPTHWISE_CONV_2D"));
  EXPECT_THAT(written(4, 8, 1), ElementsAre("DEPTHWISE_CONV_2D"));
  EXPECT_THAT(written(4, 4, 1), ElementsAre("CONV_2D"));
  EXPECT_THAT(written(2, 6, 1), ElementsAre("CONV_2D"));
  EXPECT_THAT(written(1, 6, 2), ElementsAre("CONV_2D"));
}

TEST(TfliteExportGraphs, LayersOverFullyConnectedOutputs) {
  RandomStream stream(57, "flat");
  Network network{.input = {2, 2, 3}, .layers = {}, .names = {}};
  network.layers.push_back({.kind = LayerKind::kFullyConnected, .output = {1, 1, 4}, .kernel = {}});
  network.layers.push_back({.inputs = {1, kNoTensor}, .output = {1, 1, 4}, .kernel = {}});
  network.layers.push_back(
      {.kind = LayerKind::kAdd, .inputs = {1, 2}, .output = {1, 1, 4}, .kernel = {}});
  network.layers.push_back(
      {.kind = LayerKind::kResize, .inputs = {1, kNoTensor}, .output = {3, 2, 4}, .kernel = {}});
  network.layers.push_back(
      {.kind = LayerKind::kMean, .inputs = {1, kNoTensor}, .output = {1, 1, 4}, .kernel = {}});
  network.outputs = {3, 5, 4};
  validate(network);
  const QuantizedNetwork quantised = testing::random_quantised(network, stream);
  const QuantizedNetwork read = import_tflite(export_tflite(quantised), "exported");
  expect_same_bytes(quantised, read, stream, 3);
  expect_same_ends(quantised, read);
}

// VALID would have windows behind the last.
TEST(TfliteExportGraphs, WindowsThatStopShortOfTheirInput) {
  RandomStream stream(58, "short");
  for (const LayerKind kind : {LayerKind::kConv2d, LayerKind::kDepthwiseConv2d, LayerKind::kMaxPool,
                               LayerKind::kAveragePool}) {
    for (const int pad : {0, 1}) {
      Network network{.input = {9, 8, 2}, .layers = {}, .names = {}};
      network.layers.push_back(
          {.kind = kind, .output = {2, 5, 2}, .kernel = {3, 2, 2, 1, pad, pad}});
      validate(network);
      const QuantizedNetwork quantised = testing::random_quantised(network, stream);
      const QuantizedNetwork read = import_tflite(export_tflite(quantised), "exported");
      expect_same_bytes(quantised, read, stream, 2);
      expect_same_ends(quantised, read);
    }
  }
}

TEST(TfliteExportGraphs, AMeanOverOnePixelEach) {
  RandomStream stream(59, "mean");
  Network network{.input = {3, 4, 2}, .layers = {}, .names = {"mean"}};
  network.layers.push_back({.kind = LayerKind::kMean, .output = {3, 4, 2}, .kernel = {}});
  const QuantizedNetwork quantised = testing::random_quantised(network, stream);
  EXPECT_EQ(import_tflite(export_tflite(quantised), "exported"), quantised);
}

}  // namespace
}  // namespace patchnas
