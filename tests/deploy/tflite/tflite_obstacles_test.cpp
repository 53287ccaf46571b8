// Files that are not read: one line says all that stands in the way.

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "deploy/tflite/tflite_export.h"
#include "deploy/tflite/tflite_import.h"
#include "tests/deploy/support/file_builder.h"

namespace patchnas {
namespace {

using testing::FileBuilder;
using ::testing::HasSubstr;
using tflite::BuiltinOperator;
using tflite::Padding;
using tflite::TensorType;
using File = std::vector<std::uint8_t>;

constexpr TensorQuantisation kSome{0.1F, 0};

template <typename Import>
std::string error_of(const Import& import) {
  try {
    import();
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

std::string error_of(const File& file) {
  return error_of([&] { import_tflite(file, "it.tflite"); });
}

std::string structure_error_of(const File& file) {
  return error_of([&] { import_tflite_structure(file, "it.tflite"); });
}

// [1, 2, 2, 3] through `codes`, one after the other.
File chain(const std::vector<BuiltinOperator>& codes) {
  FileBuilder file;
  const int image = file.activation("image", {1, 2, 2, 3}, kSome);
  int last = image;
  for (const BuiltinOperator code : codes) {
    const int next =
        file.activation(std::string("t").append(std::to_string(last)), {1, 2, 2, 3}, kSome);
    if (code == BuiltinOperator::ADD) {
      file.sum(last, file.constant8("constant", {3}, {1, 2, 3}, kSome), next);
    } else if (code == BuiltinOperator::CUSTOM) {
      file.add(code, {last}, {next}, {}, 0, "Hand\nmade");
    } else {
      file.add(code, {last}, {next});
    }
    last = next;
  }
  return file.finish({image}, {last});
}

TEST(TfliteObstacles, AreAllNamedAndCounted) {
  EXPECT_EQ(error_of(chain({BuiltinOperator::LEAKY_RELU, BuiltinOperator::ADD,
                            BuiltinOperator::LEAKY_RELU, BuiltinOperator::TANH,
                            BuiltinOperator::ADD, BuiltinOperator::LEAKY_RELU})),
            "it.tflite: cannot be run: not supported: 3 x LEAKY_RELU (first: operator 0, tensor 1 "
            "'t0'), 1 x TANH (operator 3, tensor 5 't4'); 2 x ADD: adds a constant, which is not "
            "supported (first: operator 1, tensor 2 't1')");
}

TEST(TfliteObstacles, NameEveryOperator) {
  EXPECT_THAT(error_of(chain({BuiltinOperator::SHAPE})), HasSubstr("1 x SHAPE (operator 0"));
  EXPECT_THAT(error_of(chain({BuiltinOperator::GELU})), HasSubstr("1 x GELU"));
  EXPECT_THAT(error_of(chain({BuiltinOperator::CUSTOM})), HasSubstr("1 x CUSTOM 'Hand?made'"));
  EXPECT_THAT(error_of(chain({static_cast<BuiltinOperator>(1234)})), HasSubstr("1 x builtin 1234"));
}

TEST(TfliteObstacles, CountInputsAndOutputs) {
  FileBuilder file;
  const int a = file.activation("a", {1, 2, 2, 3}, kSome);
  const int b = file.activation("b", {1, 2, 2, 3}, kSome);
  const int sum = file.activation("sum", {1, 2, 2, 3}, kSome);
  file.sum(a, b, sum);
  const File bytes = file.finish({a, b}, {sum, sum, a});
  EXPECT_EQ(error_of(bytes),
            "it.tflite: cannot be run: has 2 inputs, only one is supported; has 3 outputs, only "
            "one is supported");
  EXPECT_EQ(structure_error_of(bytes),
            "it.tflite: cannot be read: has 2 inputs, only one is supported; has 3 outputs, only "
            "one is supported");
}

TEST(TfliteObstacles, LaterOnesAreFoundBehindUnknownTensors) {
  FileBuilder file;
  const int image = file.activation("image", {1, 2, 2, 3}, kSome);
  const int sixteen = file.activation("sixteen", {1, 2, 2, 3}, kSome, TensorType::INT16);
  const int pooled = file.activation("pooled", {1, 2, 2, 3}, kSome);
  const int out = file.activation("out", {1, 2, 2, 3}, kSome);
  file.add(BuiltinOperator::TANH, {image}, {sixteen});
  file.pool(BuiltinOperator::MAX_POOL_2D, sixteen, pooled, Padding::VALID, 1, 1, 1, 1);
  file.pool(BuiltinOperator::MAX_POOL_2D, pooled, out, Padding::VALID, 1, 1, 0, 1);
  EXPECT_EQ(error_of(file.finish({image}, {out})),
            "it.tflite: cannot be run: not supported: 1 x TANH (operator 0, tensor 1 'sixteen'); "
            "operator 2 MAX_POOL_2D, tensor 3 'out': kernel and stride must be in [1, 32768]");
}

// A convolution with activations and weights of these types.
File convolution_of(TensorType activations, TensorType weights, bool dequantised = false) {
  FileBuilder file;
  const int image = file.activation("image", {1, 2, 2, 1}, kSome, activations);
  // As many bytes as any type needs; nobody reads them.
  const int kernel = file.constant("kernel", {1, 1, 1, 1}, {0});
  const int bias = file.constant("bias", {1}, {0});
  const int out = file.activation("out", {1, 2, 2, 1}, kSome, activations);
  int used = kernel;
  if (dequantised) {
    used = file.plain("used", {1, 1, 1, 1}, TensorType::FLOAT32);
    file.add(BuiltinOperator::DEQUANTIZE, {kernel}, {used});
  }
  file.convolve({image, used, bias}, out, Padding::VALID, 1, 1);
  File bytes = file.finish({image}, {out});
  auto* const graph =
      tflite::GetMutableModel(bytes.data())->mutable_subgraphs()->GetMutableObject(0);
  graph->mutable_tensors()
      ->GetMutableObject(static_cast<std::uint32_t>(kernel))
      ->mutate_type(weights);
  if (activations == TensorType::FLOAT32) {
    graph->mutable_tensors()
        ->GetMutableObject(static_cast<std::uint32_t>(bias))
        ->mutate_type(TensorType::FLOAT32);
  }
  return bytes;
}

TEST(TfliteObstacles, SayWhatKindOfFileItIs) {
  using Type = TensorType;
  const std::string remedy =
      "convert it with full-integer quantisation (int8, which needs a representative data set)";
  const std::string run = "it.tflite: cannot be run: ";
  EXPECT_EQ(error_of(convolution_of(Type::FLOAT32, Type::FLOAT32)),
            run + "holds float32 numbers, which can only be estimated: to run it, " + remedy);
  EXPECT_EQ(structure_error_of(convolution_of(Type::FLOAT32, Type::FLOAT32)), "");
  const std::string dynamic =
      "has small weights, but computes in float32 (dynamic-range quantisation): " + remedy;
  EXPECT_EQ(error_of(convolution_of(Type::FLOAT32, Type::INT8)), run + dynamic);
  EXPECT_EQ(structure_error_of(convolution_of(Type::FLOAT32, Type::INT8)),
            "it.tflite: cannot be read: " + dynamic);
  EXPECT_EQ(error_of(convolution_of(Type::FLOAT32, Type::FLOAT16, true)),
            run + "has float16 weights and computes in floating point: " + remedy);
  EXPECT_EQ(error_of(convolution_of(Type::INT16, Type::INT8)),
            run + "has int16 activations (16x8 quantisation): " + remedy);
  EXPECT_EQ(error_of(convolution_of(Type::UINT8, Type::UINT8)),
            run + "is quantised to uint8, as by TensorFlow 1: " + remedy);
}

TEST(TfliteObstacles, WeightsThatFitNothingAreCompared) {
  FileBuilder file;
  const int image = file.activation("image", {1, 3, 3, 4}, kSome);
  const int w = file.weights("w", {2, 5}, std::vector<std::int8_t>(10), {0.1F}, 0);
  const int out = file.activation("out", {1, 2}, kSome);
  file.connect({image, w, -1}, out);
  EXPECT_THAT(error_of(file.finish({image}, {out})),
              HasSubstr("tensor 1 'w': weights for 5 inputs fit neither the 36 values of the input "
                        "nor the 4 channels of a pixel"));
}

TEST(TfliteObstacles, ReshapesThatNoLayerOfOursCanReadSaySo) {
  FileBuilder file;
  const int image = file.activation("image", {1, 4, 4, 2}, kSome);
  const int pooled = file.activation("pooled", {1, 4, 4, 2}, kSome);
  const int view = file.activation("view", {1, 2, 8, 2}, kSome);
  const int out = file.activation("out", {1, 2, 8, 2}, kSome);
  file.pool(BuiltinOperator::MAX_POOL_2D, image, pooled, Padding::VALID, 1, 1, 1, 1);
  file.add(BuiltinOperator::RESHAPE, {pooled}, {view});
  file.pool(BuiltinOperator::MAX_POOL_2D, view, out, Padding::VALID, 1, 1, 1, 1);
  EXPECT_EQ(error_of(file.finish({image}, {out})),
            "it.tflite: cannot be run: operator 2 MAX_POOL_2D, tensor 2 'view': is reshaped to "
            "other rows, columns or channels than it was computed with, which this operator may "
            "not read");
}

}  // namespace
}  // namespace patchnas
