// Operators of integers, as ONNX Runtime writes them, are those of QDQ files.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "deploy/onnx/onnx.h"
#include "tests/deploy/support/integer_file.h"
#include "tests/deploy/support/onnx_builder.h"

namespace patchnas::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(OnnxIntegerOperators, AreThoseOfRealNumbersBetweenConversions) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const bool is_uint8 = seed % 2 == 1;
    const std::vector<std::uint8_t> file = integer_file(IntegerForm::kOperators, is_uint8, seed);
    QuantizedNetwork integers = import_onnx(file, "it.onnx");
    const QuantizedNetwork reals =
        import_onnx(integer_file(IntegerForm::kConversions, is_uint8, seed), "it.onnx");
    integers.network.names = reals.network.names;
    ASSERT_EQ(integers, reals) << "seed " << seed;
    EXPECT_EQ(import_onnx_structure(file, "it.onnx").numbers, OnnxNumbers::kInt8);
    EXPECT_THAT(inspect_onnx(file, "it.onnx").obstacles, IsEmpty());
  }
}

TEST(OnnxIntegerOperators, AreInspectedAsTheFileHasThem) {
  const FileInspection found =
      inspect_onnx(integer_file(IntegerForm::kOperators, false, 1), "it.onnx");
  EXPECT_EQ(found.operators[0].name, "QLinearConv");
  EXPECT_EQ(found.operators[0].count, 2);
  for (const OperatorCount& count : found.operators) {
    EXPECT_TRUE(count.is_read) << count.name;
  }
}

// Nodes are counted as in the file, those that stand for others are not.
TEST(OnnxIntegerOperators, ErrorsNameTheNodesOfTheFile) {
  OnnxBuilder file;
  const std::string scale = file.constant({}, {0.1F});
  const std::string zero = file.int8s({}, {0});
  const std::string x = file.node("QuantizeLinear", {file.input({1, 3, 4, 5}), scale, zero});
  const std::string weights = file.int8s({2, 4, 1, 1}, std::vector<std::int8_t>(8));
  const std::string y =
      file.node("QLinearConv", {x, scale, zero, weights, scale, zero, scale, zero});
  file.output(file.node("DequantizeLinear", {y, scale, zero}));
  EXPECT_THAT(inspect_onnx(file.bytes(), "it.onnx").obstacles,
              ElementsAre(AllOf(HasSubstr("node 1 '/QLinearConv' QLinearConv,"),
                                HasSubstr("do not fit the input's 3 channels"))));
}

}  // namespace
}  // namespace patchnas::testing
