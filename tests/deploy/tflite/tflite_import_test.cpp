#include "deploy/tflite/tflite_import.h"

#include <functional>
#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/base/error.h"
#include "deploy/tflite/tflite_export.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/support/random_networks.h"
#include "tflite_generated.h"

namespace patchnas {
namespace {

using ::testing::HasSubstr;

// conv -> add -> pool -> fully connected -> softmax
std::vector<std::uint8_t> small_file() {
  RandomStream stream(51, "small file");
  Network network{.input = {4, 4, 3},
                  .layers = {},
                  .names = {"conv", "sum", "pool", "logits", "probabilities"}};
  network.layers.push_back({.output = {4, 4, 3}, .kernel = {3, 3, 1, 1, 1, 1}});
  network.layers.push_back(
      {.kind = LayerKind::kAdd, .inputs = {1, kImage}, .output = {4, 4, 3}, .kernel = {}});
  network.layers.push_back({.kind = LayerKind::kAveragePool,
                            .inputs = {2, kNoTensor},
                            .output = {1, 1, 3},
                            .kernel = {4, 4, 1, 1, 0, 0}});
  network.layers.push_back({.kind = LayerKind::kFullyConnected,
                            .inputs = {3, kNoTensor},
                            .output = {1, 1, 2},
                            .kernel = {}});
  network.layers.push_back(
      {.kind = LayerKind::kSoftmax, .inputs = {4, kNoTensor}, .output = {1, 1, 2}, .kernel = {}});
  return export_tflite(testing::random_quantised(network, stream));
}

std::string error_of(const std::vector<std::uint8_t>& file) {
  try {
    import_tflite(file, "stranger.tflite");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

// The error after `change` to the small file.
std::string error_after(const std::function<void(tflite::Model&, tflite::SubGraph&)>& change) {
  std::vector<std::uint8_t> file = small_file();
  tflite::Model* const model = tflite::GetMutableModel(file.data());
  change(*model, *model->mutable_subgraphs()->GetMutableObject(0));
  return error_of(file);
}

tflite::Tensor& tensor_named(tflite::SubGraph& graph, const std::string& name) {
  for (std::uint32_t i = 0; i < graph.tensors()->size(); ++i) {
    if (graph.tensors()->Get(i)->name()->str() == name) {
      return *graph.mutable_tensors()->GetMutableObject(i);
    }
  }
  throw std::logic_error("no tensor " + name);
}

TEST(TfliteImport, ReadsTheSmallFile) { EXPECT_EQ(error_of(small_file()), ""); }

TEST(TfliteImport, NamesUnsupportedOperatorsAndTheirTensor) {
  EXPECT_THAT(error_after([](tflite::Model& model, tflite::SubGraph&) {
                auto& code = *model.mutable_operator_codes()->GetMutableObject(0);
                code.mutate_deprecated_builtin_code(47);
                code.mutate_builtin_code(tflite::BuiltinOperator::EXP);
              }),
              "stranger.tflite: cannot be run: not supported: 1 x EXP (operator 0, tensor 1 "
              "'conv')");
}

TEST(TfliteImport, NamesOptionsThatItCannotHonour) {
  EXPECT_THAT(
      error_after([](tflite::Model&, tflite::SubGraph& graph) {
        auto& op = *graph.mutable_operators()->GetMutableObject(0);
        static_cast<tflite::Conv2DOptions*>(op.mutable_builtin_options())->mutate_stride_h(0);
      }),
      HasSubstr("operator 0 CONV_2D, tensor 1 'conv': kernel, stride"));
  EXPECT_THAT(error_after([](tflite::Model&, tflite::SubGraph& graph) {
                graph.mutable_operators()->GetMutableObject(1)->mutate_opcode_index(99);
              }),
              HasSubstr("operator 1: has an operator code outside"));
}

TEST(TfliteImport, NamesTensorsWithWrongShapesTypesAndIndices) {
  EXPECT_THAT(error_after([](tflite::Model&, tflite::SubGraph& graph) {
                tensor_named(graph, "sum").mutate_type(tflite::TensorType::UINT8);
              }),
              HasSubstr("operator 1 ADD, tensor 2 'sum': is UINT8"));
  EXPECT_THAT(error_after([](tflite::Model&, tflite::SubGraph& graph) {
                tensor_named(graph, "pool").mutable_shape()->Mutate(1, -1);
              }),
              HasSubstr("tensor 3 'pool': shape [1, -1, 1, 3] is dynamic"));
  EXPECT_THAT(error_after([](tflite::Model&, tflite::SubGraph& graph) {
                tensor_named(graph, "image")
                    .mutable_shape()
                    ->Mutate(1, std::numeric_limits<std::int32_t>::max());
              }),
              HasSubstr("tensor 0 'image': shape"));
  EXPECT_THAT(error_after([](tflite::Model&, tflite::SubGraph& graph) {
                tensor_named(graph, "conv").mutable_shape()->Mutate(1, 5);
              }),
              HasSubstr("operator 0 CONV_2D, tensor 1 'conv': its output's shape"));
  EXPECT_THAT(error_after([](tflite::Model&, tflite::SubGraph& graph) {
                graph.mutable_operators()->GetMutableObject(1)->mutable_inputs()->Mutate(0, 1000);
              }),
              HasSubstr("operator 1 ADD: inputs name tensor 1000"));
  EXPECT_THAT(error_after([](tflite::Model&, tflite::SubGraph& graph) {
                graph.mutable_operators()->GetMutableObject(0)->mutable_inputs()->Mutate(1, -1);
              }),
              HasSubstr("operator 0 CONV_2D, tensor 1 'conv': a required input is absent"));
  EXPECT_THAT(error_after([](tflite::Model&, tflite::SubGraph& graph) {
                tensor_named(graph, "conv/weights").mutate_buffer(500);
              }),
              HasSubstr("'conv/weights': has a buffer outside"));
  EXPECT_THAT(error_after([](tflite::Model&, tflite::SubGraph& graph) {
                tensor_named(graph, "conv/weights").mutable_shape()->Mutate(0, 2);
              }),
              HasSubstr("'conv/weights': must be a constant of 54 bytes"));
}

TEST(TfliteImport, NamesQuantisationThatIsNotInt8s) {
  const auto change_scale = [](const std::string& name, float scale) {
    return error_after([&](tflite::Model&, tflite::SubGraph& graph) {
      tensor_named(graph, name).mutable_quantization()->mutable_scale()->Mutate(0, scale);
    });
  };
  EXPECT_THAT(change_scale("conv", 0.0F),
              HasSubstr("operator 0 CONV_2D, tensor 1 'conv': scale must be positive"));
  EXPECT_THAT(change_scale("conv/weights", std::numeric_limits<float>::infinity()),
              HasSubstr("'conv/weights': scales must be finite"));
  EXPECT_THAT(change_scale("sum", 0.5F), HasSubstr("layer 2 (pool): a pooling must keep"));
  EXPECT_THAT(change_scale("probabilities", 0.5F),
              HasSubstr("layer 4 (probabilities): softmax must have"));
  EXPECT_THAT(error_after([](tflite::Model&, tflite::SubGraph& graph) {
                tensor_named(graph, "conv/weights")
                    .mutable_quantization()
                    ->mutable_zero_point()
                    ->Mutate(1, 3);
              }),
              HasSubstr("'conv/weights': weights must be symmetric"));
}

TEST(TfliteImport, RefusesEveryTruncation) {
  const std::vector<std::uint8_t> file = small_file();
  for (std::size_t size = 0; size < file.size(); ++size) {
    const std::vector<std::uint8_t> cut(file.begin(),
                                        file.begin() + static_cast<std::ptrdiff_t>(size));
    ASSERT_THAT(error_of(cut), HasSubstr("stranger.tflite: "))
        << size << " of " << file.size() << " bytes";
  }
}

TEST(TfliteImport, SurvivesRandomDamage) {
  RandomStream stream(52, "damage");
  const std::vector<std::uint8_t> file = small_file();
  int refused = 0;
  for (int i = 0; i < 20000; ++i) {
    std::vector<std::uint8_t> damaged = file;
    for (int flips = 1 + static_cast<int>(stream.below(3)); flips > 0; --flips) {
      damaged[stream.below(damaged.size())] = static_cast<std::uint8_t>(stream.next());
    }
    const std::string error = error_of(damaged);  // anything but InputError would end the test
    EXPECT_EQ(error.find('\n'), std::string::npos);
    refused += error.empty() ? 0 : 1;
  }
  EXPECT_GT(refused, 1000);
}

TEST(TfliteImport, NamesFilesThatItCannotRead) {
  EXPECT_THROW(import_tflite_file("/nonexistent/model.tflite"), InputError);
}

}  // namespace
}  // namespace patchnas
