// Files that are not read: one line says all that stands in the way.

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "deploy/tflite/tflite_export.h"
#include "deploy/tflite/tflite_import.h"
#include "deploy/tflite/tflite_inspect.h"
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
      file.sum(last, file.constant8("constant", {2}, {1, 2}, kSome), next);
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
  EXPECT_EQ(error_of(chain({BuiltinOperator::GELU, BuiltinOperator::ADD, BuiltinOperator::GELU,
                            BuiltinOperator::ELU, BuiltinOperator::ADD, BuiltinOperator::GELU})),
            "it.tflite: cannot be run: not supported: 3 x GELU (first: operator 0, tensor 1 't0'), "
            "1 x ELU (operator 3, tensor 5 't4'); 2 x ADD: is a constant of 2 numbers; allowed: "
            "one, or one for each of the input's 3 channels (first: operator 1, tensor 3 "
            "'constant')");
}

TEST(TfliteObstacles, InspectionListsThemWithEverythingElse) {
  const File bytes = chain(
      {BuiltinOperator::GELU, BuiltinOperator::RELU6, BuiltinOperator::GELU, BuiltinOperator::ADD});
  const FileInspection file = inspect_tflite(bytes, "it.tflite");
  ASSERT_EQ(file.inputs.size(), 1U);
  EXPECT_EQ(file.inputs[0].name, "image");
  EXPECT_EQ(file.inputs[0].type, "int8");
  EXPECT_EQ(file.inputs[0].dimensions, (std::vector<int>{1, 2, 2, 3}));
  EXPECT_EQ(file.inputs[0].quantisation, kSome);
  EXPECT_EQ(file.outputs.size(), 1U);
  EXPECT_EQ(file.largest.bytes, 12);
  ASSERT_EQ(file.operators.size(), 3U);
  EXPECT_EQ(file.operators[0].name, "GELU");
  EXPECT_EQ(file.operators[0].count, 2);
  EXPECT_FALSE(file.operators[0].is_read);
  EXPECT_TRUE(file.operators[1].is_read);
  EXPECT_EQ(file.obstacles,
            (std::vector<std::string>{
                "2 x GELU: this operator is not supported (first: operator 0, tensor 1 't0')",
                "operator 3 ADD, tensor 5 'constant': is a constant of 2 numbers; allowed: one, or "
                "one for each of the input's 3 channels"}));
  EXPECT_EQ(inspect_tflite(chain({BuiltinOperator::RELU}), "it.tflite").obstacles,
            std::vector<std::string>{});
}

TEST(TfliteObstacles, NameEveryOperator) {
  EXPECT_THAT(error_of(chain({BuiltinOperator::SHAPE})), HasSubstr("1 x SHAPE (operator 0"));
  EXPECT_THAT(error_of(chain({BuiltinOperator::GELU})), HasSubstr("1 x GELU"));
  EXPECT_THAT(error_of(chain({BuiltinOperator::CUSTOM})), HasSubstr("1 x CUSTOM 'Hand?made'"));
  EXPECT_THAT(error_of(chain({static_cast<BuiltinOperator>(1234)})), HasSubstr("1 x builtin 1234"));
}

TEST(TfliteObstacles, LaterOnesAreFoundBehindUnknownTensors) {
  FileBuilder file;
  const int image = file.activation("image", {1, 2, 2, 3}, kSome);
  const int sixteen = file.activation("sixteen", {1, 2, 2, 3}, kSome, TensorType::INT16);
  const int pooled = file.activation("pooled", {1, 2, 2, 3}, kSome);
  const int out = file.activation("out", {1, 2, 2, 3}, kSome);
  file.add(BuiltinOperator::GELU, {image}, {sixteen});
  file.pool(BuiltinOperator::MAX_POOL_2D, sixteen, pooled, Padding::VALID, 1, 1, 1, 1);
  file.pool(BuiltinOperator::MAX_POOL_2D, pooled, out, Padding::VALID, 1, 1, 0, 1);
  EXPECT_EQ(
      error_of(file.finish({image}, {out})),
      "it.tflite: cannot be run: not supported: 1 x GELU (operator 0, tensor 1 'sixteen'); "
      "operator 2 MAX_POOL_2D, tensor 3 'out': kernel, stride and dilation must be in [1, 32768]");
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
  const std::string quantise = "to run it, quantise it to int8 (nas_search quantise)";
  const std::string run = "it.tflite: cannot be run: ";
  EXPECT_EQ(error_of(convolution_of(Type::FLOAT32, Type::FLOAT32)),
            run + "holds float32 numbers, which can only be estimated: " + quantise);
  EXPECT_EQ(structure_error_of(convolution_of(Type::FLOAT32, Type::FLOAT32)), "");
  const std::string dynamic =
      "has small weights, but computes in float32 (dynamic-range quantisation): " + remedy;
  EXPECT_EQ(error_of(convolution_of(Type::FLOAT32, Type::INT8)), run + dynamic);
  EXPECT_EQ(structure_error_of(convolution_of(Type::FLOAT32, Type::INT8)),
            "it.tflite: cannot be read: " + dynamic);
  EXPECT_EQ(error_of(convolution_of(Type::FLOAT32, Type::FLOAT16, true)),
            run + "has float16 weights and computes in floating point: " + quantise);
  EXPECT_EQ(
      structure_error_of(convolution_of(Type::FLOAT32, Type::FLOAT16, true)),
      "it.tflite: cannot be read: operator 1 CONV_2D, tensor 1 'kernel': must be a constant of "
      "2 bytes");
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

}  // namespace
}  // namespace patchnas
