// Files that are not read: one line says all that stands in the way.

#include <functional>
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
                            BuiltinOperator::EXP, BuiltinOperator::ADD, BuiltinOperator::GELU})),
            "it.tflite: cannot be run: not supported: 3 x GELU (first: operator 0, tensor 1 't0'), "
            "1 x EXP (operator 3, tensor 5 't4'); 2 x ADD: cannot be repeated along dimension 3, "
            "where it is neither 1 nor as long as the output (first: operator 1, tensor 3 "
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
                "operator 3 ADD, tensor 5 'constant': cannot be repeated along dimension 3, where "
                "it is neither 1 nor as long as the output"}));
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

// As TensorFlow Lite Micro, which pools no uint8.
TEST(TfliteObstacles, SayWhatReadsUint8) {
  FileBuilder file;
  const int image = file.activation("image", {1, 2, 2, 3}, kSome);
  const TensorQuantisation as_uint8{kSome.scale, kSome.zero_point + 128};
  const int bytes = file.activation("bytes", {1, 2, 2, 3}, as_uint8, TensorType::UINT8);
  const int out = file.activation("out", {1, 2, 2, 3}, as_uint8, TensorType::UINT8);
  file.add(BuiltinOperator::ABS, {image}, {file.activation("unread", {1, 2, 2, 3}, kSome)});
  file.add(BuiltinOperator::QUANTIZE, {image}, {bytes});
  file.pool(BuiltinOperator::MAX_POOL_2D, bytes, out, Padding::VALID, 1, 1, 1, 1);
  EXPECT_EQ(error_of(file.finish({image}, {out})),
            "it.tflite: cannot be run: operator 2 MAX_POOL_2D, tensor 1 'bytes': is UINT8, must be "
            "INT8");
}

TEST(TfliteObstacles, SayWhichFusedFunctionsAreRead) {
  FileBuilder file;
  const int image = file.activation("image", {1, 2, 2, 3}, kSome);
  const int out = file.activation("out", {1, 2, 2, 3}, kSome);
  file.add(BuiltinOperator::ADD, {image, image}, {out}, tflite::BuiltinOptions::AddOptions,
           tflite::CreateAddOptions(file.options(), tflite::ActivationFunctionType::TANH).Union());
  EXPECT_THAT(error_of(file.finish({image}, {out})),
              HasSubstr("its fused activation function is not supported; NONE, RELU, RELU6 and "
                        "RELU_N1_TO_1 are"));
}

// Of one operator with an int8 input of [1, 4, 4, 2] and one constant.
std::string error_of_operator(
    BuiltinOperator code, const std::vector<int>& shape, const std::vector<std::int32_t>& numbers,
    const std::vector<int>& to, tflite::BuiltinOptions type = {},
    const std::function<flatbuffers::Offset<void>(flatbuffers::FlatBufferBuilder&)>& options = {}) {
  FileBuilder file;
  const int image = file.activation("image", {1, 4, 4, 2}, kSome);
  const int constant = file.constant("constant", shape, numbers);
  const int out = file.activation("out", to, kSome);
  file.add(code, {image, constant}, {out}, type, options ? options(file.options()) : 0);
  return error_of(file.finish({image}, {out}));
}

TEST(TfliteObstacles, OfOperatorsThatAreReadInPart) {
  using Builder = flatbuffers::FlatBufferBuilder;
  const auto gathered = [](const std::vector<std::int32_t>& indices) {
    const auto count = static_cast<int>(indices.size());
    return error_of_operator(BuiltinOperator::GATHER, {count}, indices, {1, count, 4, 2},
                             tflite::BuiltinOptions::GatherOptions,
                             [](Builder& b) { return tflite::CreateGatherOptions(b, 1).Union(); });
  };
  EXPECT_THAT(gathered({0, 1, 4}), HasSubstr("must be indices from 0 to 3"));
  EXPECT_THAT(gathered({0, -1}), HasSubstr("must be indices from 0 to 3"));
  std::vector<std::int32_t> back_and_forth;
  for (int i = 0; i < 65; ++i) {
    back_and_forth.insert(back_and_forth.end(), {3, 0});
  }
  EXPECT_THAT(gathered(back_and_forth),
              HasSubstr("in 66 runs of evenly spaced ones; allowed: up to 64"));
  EXPECT_THAT(
      error_of_operator(BuiltinOperator::MIRROR_PAD, {4, 2}, {0, 0, 4, 0, 0, 0, 0, 0}, {1, 8, 4, 2},
                        tflite::BuiltinOptions::MirrorPadOptions,
                        [](Builder& b) { return tflite::CreateMirrorPadOptions(b).Union(); }),
      HasSubstr("has margins that are larger than what they mirror"));
  EXPECT_THAT(error_of_operator(BuiltinOperator::SPACE_TO_BATCH_ND, {2}, {2, 2}, {4, 2, 2, 2}),
              HasSubstr("is read only in front of a convolution and, behind it"));
  EXPECT_THAT(
      error_of_operator(BuiltinOperator::SPACE_TO_DEPTH, {1}, {0}, {1, 2, 2, 7},
                        tflite::BuiltinOptions::SpaceToDepthOptions,
                        [](Builder& b) { return tflite::CreateSpaceToDepthOptions(b, 2).Union(); }),
      HasSubstr("its output's shape does not follow from its input and its blocks"));
  EXPECT_THAT(
      error_of_operator(BuiltinOperator::SUM, {1}, {-5}, {1, 4, 4, 1},
                        tflite::BuiltinOptions::ReducerOptions,
                        [](Builder& b) { return tflite::CreateReducerOptions(b, true).Union(); }),
      HasSubstr("names axis -5 of 4"));
}

// A damaged file's operator that reads what it writes ends the search for what follows blocks.
TEST(TfliteObstacles, BlocksInFrontOfACycle) {
  FileBuilder file;
  const int image = file.activation("image", {1, 4, 4, 2}, kSome);
  const int blocks = file.constant("blocks", {2}, {2, 2});
  const int pads = file.constant("pads", {2, 2}, {0, 0, 0, 0});
  const int apart = file.activation("apart", {4, 2, 2, 2}, kSome);
  const int same = file.activation("same", {4, 2, 2, 2}, kSome);
  file.add(BuiltinOperator::SPACE_TO_BATCH_ND, {image, blocks, pads}, {apart});
  file.add(BuiltinOperator::RESHAPE, {apart}, {same});
  const int out = file.activation("out", {4, 2, 2, 2}, kSome);
  file.add(BuiltinOperator::RESHAPE, {same}, {same});
  file.add(BuiltinOperator::CUSTOM, {image, same}, {out});
  EXPECT_THAT(error_of(file.finish({image}, {out})), HasSubstr("is read only in front of"));
}

// Slices that leave gaps along two dimensions, and along four.
TEST(TfliteObstacles, CopiesAlongFourDimensions) {
  FileBuilder file;
  const int image = file.activation("image", {1, 24}, kSome);
  const int all = file.activation("all", {2, 2, 3, 2}, kSome);
  const int ends = file.constant("ends", {4}, {2, 1, 2, 1});
  const int begins = file.constant("begins", {4}, {0, 0, 0, 0});
  const int part = file.activation("part", {2, 1, 2, 1}, kSome);
  file.add(BuiltinOperator::RESHAPE, {image}, {all});
  file.add(BuiltinOperator::SLICE, {all, begins, ends}, {part});
  EXPECT_EQ(error_of(file.finish({image}, {part})), "");
  FileBuilder larger;
  const int given = larger.activation("image", {1, 162}, kSome);
  const int six = larger.activation("six", {3, 3, 3, 3, 2}, kSome);
  const int sizes = larger.constant("sizes", {5}, {2, 2, 2, 2, 1});
  const int zeros = larger.constant("zeros", {5}, {0, 0, 0, 0, 0});
  const int some = larger.activation("some", {2, 2, 2, 2, 1}, kSome);
  larger.add(BuiltinOperator::RESHAPE, {given}, {six});
  larger.add(BuiltinOperator::SLICE, {six, zeros, sizes}, {some});
  EXPECT_THAT(error_of(larger.finish({given}, {some})),
              HasSubstr("SLICE, tensor 4 'some': moves elements along more than three dimensions"));
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
