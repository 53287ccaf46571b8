// .tflite files of which only the layers are wanted: int8 and float ones.

#include <functional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/arch.h"
#include "deploy/tflite/tflite_export.h"
#include "deploy/tflite/tflite_import.h"
#include "tests/deploy/support/float_file.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/support/random_networks.h"
#include "tflite_generated.h"

namespace patchnas {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using File = std::vector<std::uint8_t>;

// Names are all that a file adds to a network's layers.
Network as_imported(Network network) {
  for (int layer = 0; layer < network.layer_count(); ++layer) {
    network.names.push_back(network.layer_name(layer));
  }
  for (Layer& layer : network.layers) {
    layer.role = LayerRole::kImported;
    layer.stage = layer.block = -1;
  }
  return network;
}

TEST(TfliteStructure, IsThatOfTheImportedNetwork) {
  RandomStream stream(91, "structure");
  for (int i = 0; i < 100; ++i) {
    const Network network = testing::random_lowered_network(stream);
    const File file = export_tflite(testing::random_quantised(network, stream));
    const TfliteStructure structure = import_tflite_structure(file, "int8");
    EXPECT_EQ(structure.numbers, TfliteNumbers::kInt8);
    EXPECT_EQ(structure.network, import_tflite(file, "int8").network);
  }
}

TEST(TfliteStructure, OfFloatFilesIsTheSame) {
  RandomStream stream(92, "float structure");
  for (int i = 0; i < 100; ++i) {
    const Network network = testing::random_lowered_network(stream);
    const File file =
        testing::with_float_numbers(export_tflite(testing::random_quantised(network, stream)));
    const TfliteStructure structure = import_tflite_structure(file, "float");
    EXPECT_EQ(structure.numbers, TfliteNumbers::kFloat32);
    EXPECT_EQ(structure.network, as_imported(network));
    try {
      import_tflite(file, "float");
      FAIL() << "a float file has no int8 numbers";
    } catch (const InputError& error) {
      EXPECT_THAT(std::string(error.what()),
                  HasSubstr("float: cannot be run: holds float32 numbers"));
    }
  }
}

// A 1x1 max pooling, a convolution and a softmax; `change` makes it a stranger's file.
File changed(const std::function<void(tflite::Model&, tflite::SubGraph&)>& change) {
  RandomStream stream(93, "small structure");
  Network network{.input = {4, 4, 3}, .layers = {}, .names = {"first", "conv", "last"}};
  network.layers.push_back({.kind = LayerKind::kMaxPool, .output = {4, 4, 3}, .kernel = {}});
  network.layers.push_back({.inputs = {1, kNoTensor}, .output = {4, 4, 5}, .kernel = {}});
  network.layers.push_back(
      {.kind = LayerKind::kSoftmax, .inputs = {2, kNoTensor}, .output = {4, 4, 5}, .kernel = {}});
  File file = export_tflite(testing::random_quantised(network, stream));
  tflite::Model* const model = tflite::GetMutableModel(file.data());
  change(*model, *model->mutable_subgraphs()->GetMutableObject(0));
  return file;
}

void turn_operator(tflite::Model& model, std::uint32_t code, tflite::BuiltinOperator into) {
  auto& entry = *model.mutable_operator_codes()->GetMutableObject(code);
  entry.mutate_deprecated_builtin_code(static_cast<std::int8_t>(into));
  entry.mutate_builtin_code(into);
}

void set_type(tflite::SubGraph& graph, std::uint32_t tensor, tflite::TensorType type) {
  graph.mutable_tensors()->GetMutableObject(tensor)->mutate_type(type);
}

std::string error_of(const File& file) {
  try {
    import_tflite_structure(file, "stranger.tflite");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(TfliteStructure, LeavesOutConversionsAtBothEnds) {
  for (const auto type : {tflite::TensorType::FLOAT32, tflite::TensorType::UINT8}) {
    const File file = changed([&](tflite::Model& model, tflite::SubGraph& graph) {
      turn_operator(model, 0, tflite::BuiltinOperator::QUANTIZE);
      turn_operator(model, 2,
                    type == tflite::TensorType::UINT8 ? tflite::BuiltinOperator::QUANTIZE
                                                      : tflite::BuiltinOperator::DEQUANTIZE);
      set_type(graph, 0, type);
      set_type(graph, 3, type);
    });
    const TfliteStructure structure = import_tflite_structure(file, "converted at both ends");
    EXPECT_EQ(structure.numbers, TfliteNumbers::kInt8);
    ASSERT_EQ(structure.network.layer_count(), 1);
    EXPECT_EQ(structure.network.layer_name(0), "conv");
    EXPECT_EQ(structure.network.input, (TensorShape{4, 4, 3}));
  }
}

TEST(TfliteStructure, RefusesOtherNumbersNamingOperatorAndTensor) {
  using Type = tflite::TensorType;
  const auto with_type = [](std::uint32_t tensor, Type type) {
    return error_of(
        changed([&](tflite::Model&, tflite::SubGraph& graph) { set_type(graph, tensor, type); }));
  };
  EXPECT_THAT(with_type(2, Type::INT16),
              HasSubstr("operator 1 CONV_2D, tensor 2 'conv': is INT16, must be INT8"));
  EXPECT_THAT(with_type(0, Type::UINT8), HasSubstr("tensor 0 'image': is UINT8, must be INT8"));
  EXPECT_THAT(with_type(4, Type::FLOAT32),
              HasSubstr("operator 1 CONV_2D, tensor 4 'conv/weights': is FLOAT32, must be INT8"));
  EXPECT_THAT(error_of(changed([](tflite::Model& model, tflite::SubGraph&) {
                turn_operator(model, 1, tflite::BuiltinOperator::DEQUANTIZE);
              })),
              AllOf(HasSubstr("operator 1 DEQUANTIZE, tensor 2 'conv'"),
                    HasSubstr("only the network's input may be quantised")));
  EXPECT_THAT(error_of(changed([](tflite::Model&, tflite::SubGraph& graph) {
                graph.mutable_tensors()->GetMutableObject(0)->mutable_shape()->Mutate(1, -1);
              })),
              HasSubstr("tensor 0 'image': shape [1, -1, 4, 3] is dynamic"));
}

// The convolution's weights are for 3 channels, and it writes 5.
File with_input_channels(int channels) {
  return changed([&](tflite::Model&, tflite::SubGraph& graph) {
    for (const std::uint32_t tensor : {0U, 1U}) {
      graph.mutable_tensors()->GetMutableObject(tensor)->mutable_shape()->Mutate(3, channels);
    }
  });
}

TEST(TfliteStructure, TakesGroupsFromTheWeights) {
  const Network network = import_tflite_structure(with_input_channels(15), "groups").network;
  EXPECT_EQ(network.layers[0].groups, 1);
  EXPECT_EQ(network.layers[1].groups, 5);
  EXPECT_EQ(weight_count(network, 1), 15);
  EXPECT_EQ(import_tflite(with_input_channels(15), "groups.tflite").network, network);
  for (const int channels : {1, 4, 6}) {
    EXPECT_THAT(
        error_of(with_input_channels(channels)),
        HasSubstr("tensor 4 'conv/weights': weights for 3 channels, the input has " +
                  std::to_string(channels) + ", the output 5; these are no groups of equal size"));
  }
}

TEST(TfliteStructure, KeepsTheNetworkWithinTheLimits) {
  EXPECT_THAT(error_of(changed([](tflite::Model&, tflite::SubGraph& graph) {
                for (std::uint32_t tensor = 0; tensor < 4; ++tensor) {
                  graph.mutable_tensors()->GetMutableObject(tensor)->mutable_shape()->Mutate(
                      1, 100'000);
                }
              })),
              HasSubstr("stranger.tflite: network input: shape 100000x4x3 is too large"));
}

}  // namespace
}  // namespace patchnas
