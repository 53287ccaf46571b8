// int8 networks in QDQ form are the networks that were written.

#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "arch/kernel_padding.h"
#include "arch/resize_samples.h"
#include "deploy/onnx/onnx.h"
#include "deploy/quantise/requantisation.h"
#include "tests/deploy/support/as_imported.h"
#include "tests/deploy/support/onnx_builder.h"
#include "tests/deploy/support/qdq_file.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/support/random_networks.h"

namespace patchnas::testing {
namespace {

// Layers that keep bytes keep their scale as well: a QDQ file cannot say anything else. Nothing
// where the network's arithmetic does not allow that.
std::optional<QuantizedNetwork> with_kept_scales(QuantizedNetwork network) {
  for (int i = 0; i < network.network.layer_count(); ++i) {
    const Layer& layer = network.network.layers[static_cast<std::size_t>(i)];
    const auto scale_of = [&](TensorId tensor) -> TensorQuantisation& {
      return network.tensors[static_cast<std::size_t>(tensor)];
    };
    const bool keeps =
        layer.kind == LayerKind::kResize || layer.kind == LayerKind::kCopyChannels ||
        layer.kind == LayerKind::kAveragePool || layer.kind == LayerKind::kMaxPool ||
        (layer.kind == LayerKind::kLookup && layer.function == ValueFunction::kRelu6);
    if (layer.inputs[1] != kNoTensor && keeps) {
      scale_of(layer.inputs[0]) = scale_of(layer.inputs[1]);
    }
    if (keeps) {
      scale_of(i + 1) = scale_of(layer.inputs[0]);
    }
  }
  try {
    return derive_arithmetic(std::move(network));
  } catch (const InputError&) {
    return std::nullopt;
  }
}

// What a file does not say: names of ours, which of several equal resizings it was, what was in a
// concatenation before its parts were.
QuantizedNetwork as_read(QuantizedNetwork network, const Network& read) {
  network = as_imported(std::move(network));
  network.network.names = read.names;
  for (std::size_t i = 0; i < network.network.layers.size() && i < read.layers.size(); ++i) {
    Layer& layer = network.network.layers[i];
    const TensorShape& in = network.network.shape(layer.inputs[0]);
    if (layer.kind == LayerKind::kConv2d || layer.kind == LayerKind::kDepthwiseConv2d ||
        layer.kind == LayerKind::kMaxPool) {
      layer.pad_operator = required_pad_operator(in, layer);
    }
    if (layer.kind == LayerKind::kCopyChannels) {
      network.layers[i].fill = 0;
    }
    const Resizing& other = read.layers[i].resizing;
    if (layer.kind == LayerKind::kResize && !layer.resizing.is_bilinear &&
        resize_samples(layer.resizing, in.height, layer.output.height) ==
            resize_samples(other, in.height, layer.output.height) &&
        resize_samples(layer.resizing, in.width, layer.output.width) ==
            resize_samples(other, in.width, layer.output.width)) {
      layer.resizing = other;
    }
  }
  return network;
}

EndNumbers random_numbers(RandomStream& stream) { return static_cast<EndNumbers>(stream.below(3)); }

NetworkEnd random_end(const TensorQuantisation& tensor, RandomStream& stream) {
  NetworkEnd end{.numbers = random_numbers(stream)};
  if (end.numbers == EndNumbers::kUint8) {
    end.uint8 = {tensor.scale, tensor.zero_point + 128};
  }
  return end;
}

TEST(OnnxQuantised, NetworksAreReadAsTheyWereWritten) {
  constexpr int kNetworks = 80;
  RandomStream stream(3, "qdq");
  int written = 0;
  while (written < kNetworks && !::testing::Test::HasFailure()) {
    std::optional<QuantizedNetwork> drawn = with_kept_scales(random_quantised_network(stream));
    if (!drawn || !has_qdq_form(*drawn)) {
      continue;
    }
    QuantizedNetwork& network = *drawn;
    SCOPED_TRACE(written++);
    for (std::size_t i = 0; i < network.input_ends.size(); ++i) {
      network.input_ends[i] = random_end(network.tensors[i], stream);
    }
    const std::vector<TensorId> outputs = network.network.output_tensors();
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      network.output_ends[i] =
          random_end(network.tensors[static_cast<std::size_t>(outputs[i])], stream);
    }
    const std::vector<std::uint8_t> file = qdq_file(network, stream);
    const QuantizedNetwork read = import_onnx(file, "qdq.onnx");
    const QuantizedNetwork expected = as_read(network, read.network);
    ASSERT_EQ(read.network.layer_count(), expected.network.layer_count());
    EXPECT_EQ(read.network, expected.network);
    EXPECT_EQ(read.tensors, expected.tensors);
    for (std::size_t i = 0; i < read.layers.size(); ++i) {
      EXPECT_EQ(read.layers[i], expected.layers[i])
          << "layer " << i << " " << to_string(read.network.layers[i].kind);
    }
    EXPECT_EQ(read, expected);
    const OnnxStructure structure = import_onnx_structure(file, "qdq.onnx");
    EXPECT_EQ(structure.network, read.network);
    EXPECT_EQ(structure.numbers, OnnxNumbers::kInt8);
    EXPECT_THAT(inspect_onnx(file, "qdq.onnx").obstacles, ::testing::IsEmpty());
  }
}

class OnnxQuantisedForms : public ::testing::Test {
 protected:
  // A convolution of one channel by 2 steps of 0.5, with what stands around it.
  std::string quantised(const std::string& real, float scale, std::int8_t zero_point) {
    return file_.node("QuantizeLinear",
                      {real, file_.constant({}, {scale}), file_.int8s({}, {zero_point})});
  }
  std::string through(const std::string& real, float scale, std::int8_t zero_point) {
    const std::string stored = quantised(real, scale, zero_point);
    return file_.node("DequantizeLinear",
                      {stored, file_.constant({}, {scale}), file_.int8s({}, {zero_point})});
  }
  OnnxBuilder file_;
};

TEST_F(OnnxQuantisedForms, PoolingsAndOthersThatKeepScalesAreRescaledBehind) {
  std::string x = through(file_.input({1, 2, 4, 4}), 0.5F, 3);
  x = through(file_.node("MaxPool", {x}, {{"kernel_shape", Integers{2, 2}}}), 0.25F, 0);
  x = through(file_.node("Sigmoid", {x}), 0.01F, -100);
  file_.output(x);
  const QuantizedNetwork network = import_onnx(file_.bytes(), "it.onnx");
  std::vector<LayerKind> kinds;
  for (const Layer& layer : network.network.layers) {
    kinds.push_back(layer.kind);
  }
  EXPECT_THAT(kinds, ::testing::ElementsAre(LayerKind::kMaxPool, LayerKind::kLookup,
                                            LayerKind::kLookup, LayerKind::kLookup));
  EXPECT_EQ(network.tensors[1], (TensorQuantisation{0.5F, 3}));
  EXPECT_EQ(network.tensors[2], (TensorQuantisation{0.25F, 0}));
  EXPECT_EQ(network.tensors[3], kSoftmaxOutput);
  EXPECT_EQ(network.tensors[4], (TensorQuantisation{0.01F, -100}));
}

TEST_F(OnnxQuantisedForms, ConcatenationsBringAllInputsToOneScale) {
  const std::string x = through(file_.input({1, 2, 4, 4}), 0.5F, 3);
  const std::string y = through(file_.node("Relu", {x}), 0.25F, -128);
  file_.output(through(file_.node("Concat", {x, y}, {{"axis", 1}}), 0.5F, 3));
  const QuantizedNetwork network = import_onnx(file_.bytes(), "it.onnx");
  ASSERT_EQ(network.network.layer_count(), 4);
  EXPECT_EQ(network.network.layers[2].function, ValueFunction::kRequantise);
  EXPECT_EQ(network.tensors[3], (TensorQuantisation{0.5F, 3}));
}

TEST_F(OnnxQuantisedForms, BiasesBehindAProductAndFloatWeightsThatAreQuantisedInTheFile) {
  const std::string x = through(file_.input({1, 2}), 0.5F, 0);
  const std::string scale = file_.constant({3}, {0.1F, 0.2F, 0.4F});
  const std::string zeros = file_.int8s({3}, {0, 0, 0});
  const std::string stored =
      file_.node("QuantizeLinear",
                 {file_.constant({2, 3}, {0.1F, 0.2F, 0.4F, -0.3F, -0.61F, -1.2F}), scale, zeros},
                 {{"axis", 1}});
  const std::string weights = file_.node("DequantizeLinear", {stored, scale, zeros}, {{"axis", 1}});
  const std::string y = file_.node(
      "Add", {file_.node("MatMul", {x, weights}), file_.constant({3}, {0.5F, -1.0F, 0.2F})});
  file_.output(through(y, 0.25F, 1));
  const QuantizedNetwork network = import_onnx(file_.bytes(), "it.onnx");
  ASSERT_EQ(network.network.layer_count(), 1);
  EXPECT_THAT(network.layers[0].weights, ::testing::ElementsAre(1, -3, 1, -3, 1, -3));
  EXPECT_THAT(network.layers[0].weight_scales, ::testing::ElementsAre(0.1F, 0.2F, 0.4F));
  EXPECT_THAT(network.layers[0].biases, ::testing::ElementsAre(10, -10, 1));
}

TEST_F(OnnxQuantisedForms, WeightsAloneMayBeStoredSmaller) {
  // One scale per input, which no quantised network could have.
  const std::string weights =
      file_.node("DequantizeLinear",
                 {file_.int8s({2, 3}, {1, 2, 3, -4, -5, -6}), file_.constant({2}, {0.5F, 0.25F})},
                 {{"axis", std::int64_t{0}}});
  file_.output(file_.node("MatMul", {file_.input({1, 2}), weights}));
  const FloatNetwork network = import_onnx_float(file_.bytes(), "it.onnx");
  EXPECT_THAT(network.layers[0].weights, ::testing::ElementsAre(0.5F, -1, 1, -1.25F, 1.5F, -1.5F));
}

TEST_F(OnnxQuantisedForms, LayersAreNamedAfterTheirOutputs) {
  const std::string x = through(file_.input({1, 2, 4, 4}), 0.5F, 0);
  const std::string y = file_.node("Relu", {file_.node("Add", {x, x})});
  file_.output(through(y, 0.25F, -128));
  EXPECT_THAT(import_onnx(file_.bytes(), "it.onnx").network.names, ::testing::ElementsAre(y));
}

}  // namespace
}  // namespace patchnas::testing
