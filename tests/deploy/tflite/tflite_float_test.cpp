// Float .tflite files with their values. The forms that converters write are checked where their
// int8 ones are: expect_float_twin().

#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "deploy/float/float_executor.h"
#include "deploy/tflite/tflite_export.h"
#include "deploy/tflite/tflite_import.h"
#include "tests/deploy/support/file_builder.h"
#include "tests/deploy/support/float_twin.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

using ::testing::ElementsAre;
using testing::FileBuilder;
using ::testing::HasSubstr;
using tflite::BuiltinOperator;
using tflite::Padding;
using tflite::TensorType;
using File = std::vector<std::uint8_t>;

std::string error_of(const File& file) {
  try {
    import_tflite_float(file, "it.tflite");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(TfliteFloat, FilesAreReadAsTheNetworksThatTheyStandFor) {
  RandomStream stream(95, "float files");
  int written = 0;
  for (int i = 0; i < 150; ++i) {
    const QuantizedNetwork network = testing::random_quantised_network(stream);
    File file;
    try {
      file = export_tflite(network);
    } catch (const InputError&) {
      continue;  // what cannot be written
    }
    testing::expect_float_twin(file);
    ++written;
  }
  EXPECT_GT(written, 50);
}

// A 1x1 convolution of one pixel: 2 channels from 2, weights and bias as stored.
File pointwise(TensorType stored, const std::vector<std::uint16_t>& weights,
               const std::vector<std::uint16_t>& bias) {
  FileBuilder file;
  const int image = file.plain("image", {1, 1, 1, 2}, TensorType::FLOAT32);
  const int small = file.constant16("small", {2, 1, 1, 2}, weights, stored);
  const int small_bias = file.constant16("small bias", {2}, bias, stored);
  const int kernel = file.plain("kernel", {2, 1, 1, 2}, TensorType::FLOAT32);
  const int added = file.plain("bias", {2}, TensorType::FLOAT32);
  const int out = file.plain("out", {1, 1, 1, 2}, TensorType::FLOAT32);
  file.add(BuiltinOperator::DEQUANTIZE, {small}, {kernel});
  file.add(BuiltinOperator::DEQUANTIZE, {small_bias}, {added});
  file.convolve({image, kernel, added}, out, Padding::VALID, 1, 1);
  return file.finish({image}, {out});
}

TEST(TfliteFloat, WeightsMayBeStoredAsFloat16) {
  // 1, -2, the smallest normal number and the smallest of all; 65504 and 1/3.
  const File file =
      pointwise(TensorType::FLOAT16, {0x3C00, 0xC000, 0x0400, 0x0001}, {0x7BFF, 0x3555});
  const FloatNetwork network = import_tflite_float(file, "half");
  EXPECT_THAT(network.layers[0].weights, ElementsAre(1.0F, -2.0F, 0x1p-14F, 0x1p-24F));
  EXPECT_THAT(network.layers[0].bias, ElementsAre(65504.0F, 0x1.554p-2F));
  EXPECT_EQ(import_tflite_structure(file, "half").network, network.network);
}

TEST(TfliteFloat, OtherNumbersAreRefused) {
  RandomStream stream(96, "not float");
  EXPECT_THAT(error_of(export_tflite(
                  testing::random_quantised(testing::random_lowered_network(stream), stream))),
              HasSubstr("it.tflite: cannot be read: holds int8 numbers: it is quantised already"));
  EXPECT_THAT(error_of(pointwise(TensorType::INT16, {1, 2, 3, 4}, {1, 2})),
              HasSubstr("computes in float32 (dynamic-range quantisation)"));
}

// PADV2 by one pixel on each side in front of a maximum pooling.
File padded_maximum(float value) {
  FileBuilder file;
  const int image = file.plain("image", {1, 2, 2, 1}, TensorType::FLOAT32);
  const int padding = file.constant("padding", {4, 2}, {0, 0, 1, 1, 1, 1, 0, 0});
  const int fill = file.constant_float("value", {}, {value});
  const int padded = file.plain("padded", {1, 4, 4, 1}, TensorType::FLOAT32);
  const int out = file.plain("out", {1, 3, 3, 1}, TensorType::FLOAT32);
  file.add(BuiltinOperator::PADV2, {image, padding, fill}, {padded});
  file.pool(BuiltinOperator::MAX_POOL_2D, padded, out, Padding::VALID, 2, 2, 1, 1);
  return file.finish({image}, {out});
}

TEST(TfliteFloat, PaddingWithTheLowestNumberIsThatOfAMaximum) {
  const std::vector<float> image{-1, -2, -3, -4};
  for (const float lowest :
       {-std::numeric_limits<float>::infinity(), std::numeric_limits<float>::lowest()}) {
    const FloatNetwork network = import_tflite_float(padded_maximum(lowest), "lowest");
    EXPECT_EQ(network.network.layer_count(), 1);
    EXPECT_THAT(run_float_layers(network, image).back(),
                ElementsAre(-1, -1, -2, -1, -1, -2, -3, -3, -4));
  }
  const FloatNetwork network = import_tflite_float(padded_maximum(-1.5F), "value");
  EXPECT_EQ(network.network.layer_count(), 2);
  EXPECT_THAT(run_float_layers(network, image).back(),
              ElementsAre(-1, -1, -1.5F, -1, -1, -1.5F, -1.5F, -1.5F, -1.5F));
}

}  // namespace
}  // namespace patchnas
