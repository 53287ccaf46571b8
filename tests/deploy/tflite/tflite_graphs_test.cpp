// Operators that move elements, repeat them or join tensors, and graphs of several inputs and
// outputs, against the same said in loops over the file's dimensions.

#include <algorithm>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "deploy/reference/reference_executor.h"
#include "deploy/tflite/tflite_import.h"
#include "tests/deploy/support/file_builder.h"
#include "tests/deploy/support/float_twin.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

using testing::FileBuilder;
using ::testing::HasSubstr;
using testing::random_bytes;
using tflite::BuiltinOperator;
using tflite::BuiltinOptions;
using Values = std::vector<std::int8_t>;
using Dimensions = std::vector<int>;

constexpr TensorQuantisation kSome{0.1F, -3};

int count_of(const Dimensions& dimensions) {
  return std::accumulate(dimensions.begin(), dimensions.end(), 1, std::multiplies<>());
}

// Calls visit(index along each dimension) in the order of the elements.
template <typename Visit>
void for_each_index(const Dimensions& dimensions, const Visit& visit) {
  for (int i = 0; i < count_of(dimensions); ++i) {
    Dimensions index(dimensions.size());
    int rest = i;
    for (std::size_t axis = dimensions.size(); axis-- > 0;) {
      index[axis] = rest % dimensions[axis];
      rest /= dimensions[axis];
    }
    visit(index);
  }
}

std::int8_t at(const Values& values, const Dimensions& dimensions, const Dimensions& index) {
  std::size_t position = 0;
  for (std::size_t axis = 0; axis < index.size(); ++axis) {
    position = position * static_cast<std::size_t>(dimensions[axis]) +
               static_cast<std::size_t>(index[axis]);
  }
  return values[position];
}

Values run(const std::vector<std::uint8_t>& file, const Values& inputs) {
  testing::expect_float_twin(file);
  const QuantizedNetwork network = import_tflite(file, "graph");
  EXPECT_EQ(import_tflite_structure(file, "graph").network, network.network);
  return run_layer_by_layer(network, inputs);
}

std::string error_of(const std::vector<std::uint8_t>& file) {
  try {
    import_tflite(file, "graph");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

// Rows, columns and channels behind an operator that keeps them: what follows is no image's.
int computed(FileBuilder& file, int image, const Dimensions& dimensions, const std::string& name) {
  const int tensor = file.activation(name, dimensions, kSome);
  file.pool(BuiltinOperator::MAX_POOL_2D, image, tensor, tflite::Padding::VALID, 1, 1, 1, 1);
  return tensor;
}

TEST(TfliteGraphs, ConcatenationAlongEveryAxis) {
  RandomStream stream(1, "concatenation");
  for (int axis = 1; axis <= 3; ++axis) {
    Dimensions from{1, 3, 4, 2};
    Dimensions to = from;
    to[static_cast<std::size_t>(axis)] *= 3;
    FileBuilder file;
    const int image = file.activation("image", from, kSome);
    const int a = computed(file, image, from, "a");
    const int b = computed(file, a, from, "b");
    const int joined = file.activation("joined", to, kSome);
    file.add(BuiltinOperator::CONCATENATION, {a, image, b}, {joined},
             BuiltinOptions::ConcatenationOptions,
             tflite::CreateConcatenationOptions(file.options(), axis - 4).Union());
    const Values input = random_bytes(count_of(from), stream);
    Values expected;
    for_each_index(to, [&](Dimensions index) {
      index[static_cast<std::size_t>(axis)] %= from[static_cast<std::size_t>(axis)];
      expected.push_back(at(input, from, index));
    });
    EXPECT_EQ(run(file.finish({image}, {joined}), input), expected) << axis;
  }
}

TEST(TfliteGraphs, SplitsAlongEveryAxisOfWhichOneIsUnused) {
  RandomStream stream(2, "split");
  for (int axis = 1; axis <= 3; ++axis) {
    const Dimensions from{1, 6, 3, 9};
    Dimensions part = from;
    part[static_cast<std::size_t>(axis)] /= 3;
    FileBuilder file;
    const int image = file.activation("image", from, kSome);
    const int all = computed(file, image, from, "all");
    const int along = file.constant("axis", {}, {axis});
    const int first = file.activation("first", part, kSome);
    const int unused = file.activation("unused", part, kSome);
    const int last = file.activation("last", part, kSome);
    file.add(BuiltinOperator::SPLIT, {along, all}, {first, unused, last},
             BuiltinOptions::SplitOptions, tflite::CreateSplitOptions(file.options(), 3).Union());
    const Values input = random_bytes(count_of(from), stream);
    Values expected;
    for (const int begin : {2, 0}) {
      for_each_index(part, [&](Dimensions index) {
        index[static_cast<std::size_t>(axis)] += begin * part[static_cast<std::size_t>(axis)];
        expected.push_back(at(input, from, index));
      });
    }
    EXPECT_EQ(run(file.finish({image}, {last, first}), input), expected) << axis;
  }
}

TEST(TfliteGraphs, StridedSlicesWithMasks) {
  RandomStream stream(3, "slice");
  const Dimensions from{1, 7, 6, 5};
  FileBuilder file;
  const int image = file.activation("image", from, kSome);
  const int all = computed(file, image, from, "all");
  const int begins = file.constant("begins", {4}, {0, 1, 3, -2});
  const int ends = file.constant("ends", {4}, {1, 7, 99, 0});
  const int steps = file.constant("steps", {4}, {1, 2, 1, 1});
  const int part = file.activation("part", {1, 3, 6}, kSome);
  // All columns, and of the channels the last but one.
  file.add(BuiltinOperator::STRIDED_SLICE, {all, begins, ends, steps}, {part},
           BuiltinOptions::StridedSliceOptions,
           tflite::CreateStridedSliceOptions(file.options(), 1 << 2, 1 << 2, 0, 0, 1 << 3).Union());
  const Values input = random_bytes(count_of(from), stream);
  Values expected;
  for_each_index({3, 6}, [&](const Dimensions& index) {
    expected.push_back(at(input, from, {0, 1 + 2 * index[0], index[1], 3}));
  });
  EXPECT_EQ(run(file.finish({image}, {part}), input), expected);
}

TEST(TfliteGraphs, TransposedReshapedAndPaddedTensorsAreCopiedWhereTheyAreRead) {
  RandomStream stream(4, "copies");
  const Dimensions from{1, 3, 4, 2};
  FileBuilder file;
  const int image = file.activation("image", from, kSome);
  const int all = computed(file, image, from, "all");
  const int order = file.constant("order", {4}, {0, 3, 1, 2});
  const int turned = file.activation("turned", {1, 2, 3, 4}, kSome);
  file.add(BuiltinOperator::TRANSPOSE, {all, order}, {turned});
  const int flat = file.activation("flat", {1, 6, 2, 2}, kSome);
  const int pooled = computed(file, turned, {1, 2, 3, 4}, "pooled");
  file.add(BuiltinOperator::RESHAPE, {pooled}, {flat});
  const int read = computed(file, flat, {1, 6, 2, 2}, "read");
  const int margins = file.constant("margins", {4, 2}, {0, 0, 0, 0, 0, 1, 2, 0});
  const int padded = file.activation("padded", {1, 6, 3, 4}, kSome);
  file.add(BuiltinOperator::PAD, {read, margins}, {padded}, BuiltinOptions::PadOptions,
           tflite::CreatePadOptions(file.options()).Union());
  const Values input = random_bytes(count_of(from), stream);
  Values turned_values;
  for_each_index({2, 3, 4}, [&](const Dimensions& index) {
    turned_values.push_back(at(input, from, {0, index[1], index[2], index[0]}));
  });
  Values expected;
  for_each_index({6, 3, 4}, [&](const Dimensions& index) {
    const bool is_margin = index[1] == 2 || index[2] < 2;
    expected.push_back(is_margin
                           ? static_cast<std::int8_t>(kSome.zero_point)
                           : at(turned_values, {6, 2, 2}, {index[0], index[1], index[2] - 2}));
  });
  EXPECT_EQ(run(file.finish({image}, {padded}), input), expected);
}

TEST(TfliteGraphs, BroadcastsTransposedAndReshapedTensors) {
  RandomStream stream(7, "broadcast");
  const Dimensions from{1, 2, 3, 2};
  FileBuilder file;
  const int image = file.activation("image", from, kSome);
  const int all = computed(file, image, from, "all");
  const int order = file.constant("order", {4}, {0, 2, 1, 3});
  const int turned = file.activation("turned", {1, 3, 2, 2}, kSome);
  file.add(BuiltinOperator::TRANSPOSE, {all, order}, {turned});
  const int rows = file.activation("rows", {3, 1, 4}, kSome);
  file.add(BuiltinOperator::RESHAPE, {turned}, {rows});
  const int shape = file.constant("shape", {3}, {3, 5, 4});
  const int often = file.activation("often", {3, 5, 4}, kSome);
  file.add(BuiltinOperator::BROADCAST_TO, {rows, shape}, {often});
  const int axes = file.constant("axes", {3}, {2, 0, 1});
  const int last = file.activation("last", {4, 3, 5}, kSome);
  file.add(BuiltinOperator::TRANSPOSE, {often, axes}, {last});
  const Values input = random_bytes(count_of(from), stream);
  Values expected;
  for_each_index({4, 3, 5}, [&](const Dimensions& index) {
    expected.push_back(at(input, from, {0, index[0] / 2, index[1], index[0] % 2}));
  });
  EXPECT_EQ(run(file.finish({image}, {last}), input), expected);
}

// Our copies have three axes.
TEST(TfliteGraphs, FourDimensionsMoveAsLongAsTheyAreThree) {
  RandomStream stream(8, "four dimensions");
  const Dimensions from{2, 3, 4, 5};
  const auto padded = [&](int rows, int channels) {
    FileBuilder file;
    const int image = file.activation("image", {1, 6, 4, 5}, kSome);
    const int all = computed(file, image, {1, 6, 4, 5}, "all");
    const int batch = file.activation("batch", from, kSome);
    file.add(BuiltinOperator::RESHAPE, {all}, {batch});
    const int margins = file.constant("margins", {4, 2}, {0, 0, rows, 0, 1, 0, channels, 0});
    const int result = file.activation("padded", {2, 3 + rows, 5, 5 + channels}, kSome);
    file.add(BuiltinOperator::PAD, {batch, margins}, {result}, BuiltinOptions::PadOptions,
             tflite::CreatePadOptions(file.options()).Union());
    return file.finish({image}, {result});
  };
  const Values input = random_bytes(count_of(from), stream);
  Values expected;
  for_each_index({2, 5, 5, 5}, [&](const Dimensions& index) {
    const bool is_margin = index[1] < 2 || index[2] < 1;
    expected.push_back(is_margin
                           ? static_cast<std::int8_t>(kSome.zero_point)
                           : at(input, from, {index[0], index[1] - 2, index[2] - 1, index[3]}));
  });
  EXPECT_EQ(run(padded(2, 0), input), expected);
  EXPECT_THAT(error_of(padded(2, 1)),
              HasSubstr("operator 2 PAD, tensor 4 'padded': moves elements along more than three"));
}

// Squeeze and excitation: a factor for each channel.
TEST(TfliteGraphs, TheSmallerOfTwoTensorsIsRepeated) {
  RandomStream stream(5, "repeated");
  const Dimensions from{1, 3, 5, 4};
  const auto with_factors = [&](bool factors_come_first) {
    FileBuilder file;
    const int image = file.activation("image", from, kSome);
    const int factors = file.activation("factors", {1, 1, 1, 4}, kSome);
    const int product = file.activation("product", from, {0.4F, 5});
    const std::vector<int> operands =
        factors_come_first ? std::vector{factors, image} : std::vector{image, factors};
    file.add(BuiltinOperator::MUL, operands, {product}, BuiltinOptions::MulOptions,
             tflite::CreateMulOptions(file.options()).Union());
    return file.finish({image, factors}, {product});
  };
  const Values input = random_bytes(count_of(from) + 4, stream);
  Values repeated;
  for (int pixel = 0; pixel < 15; ++pixel) {
    repeated.insert(repeated.end(), input.end() - 4, input.end());
  }
  FileBuilder same;
  const int a = same.activation("image", from, kSome);
  const int b = same.activation("factors", from, kSome);
  const int c = same.activation("product", from, {0.4F, 5});
  same.add(BuiltinOperator::MUL, {a, b}, {c}, BuiltinOptions::MulOptions,
           tflite::CreateMulOptions(same.options()).Union());
  Values both(input.begin(), input.end() - 4);
  both.insert(both.end(), repeated.begin(), repeated.end());
  const Values expected = run(same.finish({a, b}, {c}), both);
  for (const bool factors_come_first : {false, true}) {
    const std::vector<std::uint8_t> file = with_factors(factors_come_first);
    EXPECT_EQ(run(file, input), expected);
    const std::vector<Layer> layers = import_tflite(file, "graph").network.layers;
    ASSERT_EQ(layers.size(), 2U) << "no copy";  // the other is the second input
    EXPECT_TRUE(layers.back().repeats_second);
  }
}

// Also of an input, and of the same tensor twice.
TEST(TfliteGraphs, OutputsAreInTheFilesOrder) {
  RandomStream stream(6, "outputs");
  const Dimensions shape{1, 2, 2, 3};
  FileBuilder file;
  const int a = file.activation("a", shape, kSome);
  const int b = file.activation("b", shape, kSome);
  const int sum = file.activation("sum", shape, kSome);
  const int largest = file.activation("largest", {1, 1, 1, 3}, kSome);
  file.sum(a, b, sum);
  file.pool(BuiltinOperator::MAX_POOL_2D, sum, largest, tflite::Padding::VALID, 2, 2, 1, 1);
  const std::vector<std::uint8_t> bytes = file.finish({b, a}, {sum, a, largest, sum});
  const QuantizedNetwork network = import_tflite(bytes, "graph");
  EXPECT_EQ(network.network.input_count(), 2);
  ASSERT_EQ(network.network.outputs.size(), 4U);
  const Values inputs = random_bytes(24, stream);
  const Values outputs = run(bytes, inputs);
  ASSERT_EQ(outputs.size(), 12U + 12U + 3U + 12U);
  const Values sums(outputs.begin(), outputs.begin() + 12);
  EXPECT_EQ(Values(outputs.begin() + 12, outputs.begin() + 24),
            Values(inputs.begin() + 12, inputs.end()));
  EXPECT_EQ(Values(outputs.end() - 12, outputs.end()), sums);
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_EQ(outputs[24 + c], std::max({sums[c], sums[c + 3], sums[c + 6], sums[c + 9]}));
  }
}

TEST(TfliteGraphs, NameWhatDoesNotFit) {
  FileBuilder file;
  const int image = file.activation("image", {1, 4, 4, 2}, kSome);
  const int other = computed(file, image, {1, 4, 4, 2}, "other");
  const int joined = file.activation("joined", {1, 4, 4, 5}, kSome);
  file.add(BuiltinOperator::CONCATENATION, {image, other}, {joined},
           BuiltinOptions::ConcatenationOptions,
           tflite::CreateConcatenationOptions(file.options(), 3).Union());
  EXPECT_THAT(error_of(file.finish({image}, {joined})),
              HasSubstr("operator 1 CONCATENATION, tensor 2 'joined': its inputs do not fill"));
  FileBuilder sliced;
  const int all = sliced.activation("all", {1, 4, 4, 2}, kSome);
  const int begins = sliced.constant("begins", {4}, {0, 3, 0, 0});
  const int sizes = sliced.constant("sizes", {4}, {1, 0, 4, 2});
  const int part = sliced.activation("part", {1, 1, 4, 2}, kSome);
  sliced.add(BuiltinOperator::SLICE, {all, begins, sizes}, {part});
  EXPECT_THAT(error_of(sliced.finish({all}, {part})),
              HasSubstr("operator 0 SLICE, tensor 3 'part': takes nothing of dimension 1"));
  FileBuilder of_a_number;
  const int number = of_a_number.activation("number", {}, kSome);
  const int none = of_a_number.constant("none", {0}, {});
  const int same = of_a_number.activation("same", {}, kSome);
  of_a_number.add(BuiltinOperator::SLICE, {number, none, none}, {same});
  EXPECT_THAT(error_of(of_a_number.finish({number}, {same})), HasSubstr("SLICE"));
}

}  // namespace
}  // namespace patchnas
