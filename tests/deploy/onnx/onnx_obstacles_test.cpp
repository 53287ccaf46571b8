// Files that cannot be used: one line that says all that stands in the way, and where.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "deploy/onnx/onnx.h"
#include "tests/deploy/support/onnx_builder.h"

namespace patchnas::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string error_of(OnnxBuilder& file) {
  try {
    import_onnx_float(file.bytes(), "it.onnx");
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
    EXPECT_THAT(error.what(), ::testing::StartsWith("it.onnx: "));
    return error.what();
  }
  return "";
}

// Of one node behind an input.
std::string error_of(const std::string& op, const OnnxAttributes& attributes = {},
                     const std::vector<int>& input = {1, 3, 4, 5}) {
  OnnxBuilder file;
  file.output(file.node(op, {file.input(input)}, attributes));
  return error_of(file);
}

TEST(OnnxObstacles, AllAreListedAndCounted) {
  OnnxBuilder file;
  const std::string x = file.input({1, 3, 4, 5});
  const std::string a = file.node("Erf", {x});
  const std::string b = file.node("Erf", {x});
  const std::string c = file.node("Elu", {x}, {{"alpha", 0.5F}});
  file.output(file.node("Add", {file.node("Add", {a, b}), c}));
  EXPECT_EQ(error_of(file),
            "it.onnx: cannot be read: not supported: 2 x Erf (first: node 0 '/Erf', tensor 't1'); "
            "node 2 '/Elu' Elu, tensor 't3': has another alpha than 1");
}

TEST(OnnxObstacles, DamagedFiles) {
  const std::vector<std::uint8_t> text{'h', 'e', 'l', 'l', 'o'};
  EXPECT_THROW(import_onnx(text, "it.onnx"), InputError);
  EXPECT_THROW(import_onnx({}, "it.onnx"), InputError);
  OnnxBuilder file;
  file.output(file.node("Relu", {file.input({1, 3, 4, 5})}));
  std::vector<std::uint8_t> bytes = file.bytes();
  bytes.resize(bytes.size() - 7);
  EXPECT_THROW(import_onnx_float(bytes, "it.onnx"), InputError);
}

TEST(OnnxObstacles, WhatTheFileIs) {
  OnnxBuilder old(6);
  old.output(old.node("Relu", {old.input({1, 3, 4, 5})}));
  EXPECT_THAT(error_of(old), HasSubstr("has version 6 of ONNX's operators; allowed: from 7 on"));

  OnnxBuilder dynamic;
  const std::string x = dynamic.input({1, 3, 4, 5});
  onnx::TensorShapeProto& shape = *dynamic.model()
                                       .mutable_graph()
                                       ->mutable_input(0)
                                       ->mutable_type()
                                       ->mutable_tensor_type()
                                       ->mutable_shape();
  shape.mutable_dim(0)->set_dim_param("batch");
  dynamic.output(dynamic.node("Relu", {x}));
  EXPECT_EQ(error_of(dynamic), "");
  shape.mutable_dim(2)->set_dim_param("height");
  EXPECT_THAT(error_of(dynamic), HasSubstr("tensor 't0': is an input of dynamic shape"));

  EXPECT_THAT(error_of("Relu", {}, {2, 3, 4, 5}), HasSubstr("has batch size 2, only 1"));

  OnnxBuilder foreign;
  const std::string y = foreign.node("FusedConv", {foreign.input({1, 3, 4, 5})});
  foreign.model().mutable_graph()->mutable_node(0)->set_domain("com.microsoft");
  foreign.output(y);
  EXPECT_THAT(error_of(foreign), HasSubstr("not supported: 1 x com.microsoft.FusedConv (node 0"));

  OnnxBuilder external;
  const std::string w = external.constant({4, 3, 1, 1}, std::vector<float>(12));
  external.model().mutable_graph()->mutable_initializer(0)->set_data_location(
      onnx::TensorProto::EXTERNAL);
  external.output(external.node("Conv", {external.input({1, 3, 4, 5}), w}));
  EXPECT_THAT(error_of(external), HasSubstr("tensor 't0': its numbers are in another file"));

  OnnxBuilder cut;
  const std::string v = cut.constant({4, 3, 1, 1}, std::vector<float>(11));
  cut.output(cut.node("Conv", {cut.input({1, 3, 4, 5}), v}));
  EXPECT_THAT(error_of(cut),
              HasSubstr("is a constant of 11 numbers, its shape [4, 3, 1, 1] needs 12"));
}

TEST(OnnxObstacles, Operators) {
  EXPECT_THAT(
      error_of("MaxPool", {{"kernel_shape", Integers{2, 2}}, {"dilations", Integers{2, 2}}}),
      HasSubstr("has a dilation, which only a convolution may have"));
  EXPECT_THAT(error_of("MaxPool", {{"kernel_shape", Integers{9, 9}}}),
              HasSubstr("its window does not fit into its input"));
  EXPECT_THAT(error_of("MaxPool"), HasSubstr("has no kernel_shape"));
  EXPECT_THAT(error_of("Transpose", {{"perm", Integers{0, 1, 2, 2}}}),
              HasSubstr("perm is not a permutation"));
  EXPECT_THAT(error_of("Softmax", {{"axis", std::int64_t{7}}}), HasSubstr("names axis 7 of 4"));
  EXPECT_THAT(error_of("ReduceMean", {{"axes", Integers{1, 3}}}, {2, 2, 3, 4, 5}),
              HasSubstr("reduces dimensions that lie too far apart in memory"));
  EXPECT_THAT(error_of("Cast", {{"to", std::int64_t{7}}}), HasSubstr("casts what is computed"));
  OnnxBuilder file;
  const std::string x = file.input({1, 3, 4, 5});
  file.output(file.node("Conv", {x, file.constant({4, 2, 1, 1}, std::vector<float>(8))}));
  EXPECT_THAT(error_of(file), HasSubstr("weights of shape [4, 2, 1, 1] in 1 groups do not fit"));
  OnnxBuilder map;
  const std::string y = map.input({1, 2, 2, 2});
  map.output(map.node("Add", {y, map.constant({2, 2, 3}, std::vector<float>(12))}));
  EXPECT_THAT(error_of(map),
              HasSubstr("is a constant of shape [2, 2, 3], which does not go with [1, 2, 2, 2]"));
}

TEST(OnnxObstacles, QuantisedFiles) {
  OnnxBuilder file;
  file.output(file.node("Relu", {file.input({1, 3, 4, 5})}));
  try {
    import_onnx(file.bytes(), "it.onnx");
    ADD_FAILURE();
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(),
                 "it.onnx: cannot be run: holds float32 numbers: quantise it first (nas_search "
                 "quantise)");
  }
  const auto quantised = [&](OnnxBuilder& f, const std::string& x) {
    const std::string scale = f.constant({}, {0.5F});
    return f.node("DequantizeLinear", {f.node("QuantizeLinear", {x, scale}), scale});
  };
  OnnxBuilder open;
  const std::string x = quantised(open, open.input({1, 3, 4, 5}));
  open.output(open.node("Tanh", {open.node("Add", {x, x})}));
  EXPECT_THAT(inspect_onnx(open.bytes(), "it.onnx").obstacles,
              ElementsAre(AllOf(HasSubstr("Tanh"), HasSubstr("has no scale"))));

  OnnxBuilder integers;
  integers.output(integers.node("QLinearConv", {integers.input({1, 3, 4, 5})}));
  EXPECT_THAT(error_of(integers), AllOf(HasSubstr("quantise it in QDQ form"),
                                        HasSubstr("not supported: 1 x QLinearConv")));
}

TEST(OnnxObstacles, Inspection) {
  OnnxBuilder file;
  const std::string x = file.node("Relu", {file.input({1, 3, 4, 5})});
  file.output(file.node("Erf", {file.node("Relu", {x})}));
  const FileInspection found = inspect_onnx(file.bytes(), "it.onnx");
  ASSERT_EQ(found.inputs.size(), 1U);
  EXPECT_EQ(found.inputs[0].type, "float32");
  EXPECT_THAT(found.inputs[0].dimensions, ElementsAre(1, 3, 4, 5));
  EXPECT_EQ(found.inputs[0].bytes, 240);
  ASSERT_EQ(found.operators.size(), 2U);
  EXPECT_EQ(found.operators[0].name, "Relu");
  EXPECT_EQ(found.operators[0].count, 2);
  EXPECT_FALSE(found.operators[1].is_read);
  EXPECT_EQ(found.largest.bytes, 240);
  EXPECT_EQ(found.obstacles.size(), 2U);
}

}  // namespace
}  // namespace patchnas::testing
