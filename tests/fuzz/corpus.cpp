#include "tests/fuzz/corpus.h"

#include <algorithm>

#include "arch/arch.h"
#include "deploy/import/dimensions.h"
#include "deploy/tflite/tflite_export.h"
#include "tests/deploy/support/float_file.h"
#include "tests/deploy/support/integer_file.h"
#include "tests/deploy/support/onnx_builder.h"
#include "tests/deploy/support/qdq_file.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/deploy/support/recorded_cases.h"
#include "tests/support/network_json.h"
#include "tests/support/random_networks.h"

namespace patchnas::testing {
namespace {

void add_file(std::vector<std::string>& corpus, const std::vector<std::uint8_t>& file) {
  corpus.emplace_back(file.begin(), file.end());
}

void add_tflite(std::vector<std::string>& corpus, const Network& network, RandomStream& stream) {
  QuantizedNetwork quantised = random_quantised(network, stream);
  const std::vector<std::uint8_t> file = export_tflite(quantised);
  add_file(corpus, file);
  add_file(corpus, with_float_numbers(file));
  quantised.input_ends[0] = {.numbers = EndNumbers::kFloat32,
                             .restated = TensorQuantisation{0.5F, 3}};
  quantised.output_ends[0] = {.numbers = EndNumbers::kUint8, .uint8 = {0.25F, 128}};
  add_file(corpus, export_tflite(quantised));
}

void add_onnx(std::vector<std::string>& corpus, const Network& network, RandomStream& stream) {
  const QuantizedNetwork quantised = random_quantised(network, stream);
  if (has_qdq_form(quantised)) {
    const std::vector<std::uint8_t> file = qdq_file(quantised, stream);
    corpus.emplace_back(file.begin(), file.end());
  }
}

// Nodes that QDQ files of ours do not have.
std::string float_onnx(RandomStream& stream) {
  OnnxBuilder file;
  const auto numbers = [&](const std::vector<int>& dimensions) {
    std::vector<float> values(static_cast<std::size_t>(element_count(dimensions)));
    std::generate(values.begin(), values.end(),
                  [&] { return static_cast<float>(stream.uniform()); });
    return file.constant(dimensions, values);
  };
  std::string x = file.input({1, 3, 8, 8});
  x = file.node("Pad", {x, file.integers({0, 0, 1, 1, 0, 0, 1, 1})});
  x = file.node("Conv", {x, numbers({4, 3, 3, 3}), numbers({4})}, {{"strides", Integers{2, 2}}});
  x = file.node("BatchNormalization", {x, numbers({4}), numbers({4}), numbers({4}), numbers({4})});
  x = file.node("Relu", {x});
  x = file.node("Reshape", {x, file.integers({1, 2, 2, 4, 4})});
  x = file.node("Transpose", {x}, {{"perm", Integers{0, 2, 1, 3, 4}}});
  x = file.node("Reshape", {x, file.integers({1, -1, 4, 4})});
  const std::vector<std::string> halves = file.nodes("Split", {x}, {{"axis", 1}}, 2);
  const std::string s = file.node("HardSigmoid", {file.node("GlobalAveragePool", {halves[0]})});
  x = file.node("Concat", {file.node("Mul", {halves[0], s}), halves[1]}, {{"axis", 1}});
  const std::string size = file.node("Gather", {file.node("Shape", {x}), file.integers({0})});
  x = file.node("Reshape", {x, file.node("Concat", {size, file.integers({-1})}, {{"axis", 0}})});
  x = file.node("Add", {file.node("MatMul", {x, numbers({64, 5})}), numbers({5})});
  file.output(file.node("Softmax", {x}));
  const std::vector<std::uint8_t> bytes = file.bytes();
  return {bytes.begin(), bytes.end()};
}

// The rarer ones.
std::string further_onnx(RandomStream& stream) {
  OnnxBuilder file(18);
  const auto numbers = [&](const std::vector<int>& dimensions) {
    std::vector<float> values(static_cast<std::size_t>(element_count(dimensions)));
    std::generate(values.begin(), values.end(),
                  [&] { return static_cast<float>(stream.uniform()); });
    return file.constant(dimensions, values);
  };
  std::string x = file.input({1, 4, 4, 6});
  x = file.node("ConvTranspose", {x, numbers({4, 8, 2, 2}), numbers({8})},
                {{"strides", Integers{2, 2}}});
  x = file.node("Clip", {x, numbers({}), numbers({})});
  x = file.node("Gather", {x, file.integers({7, 0, 1, 3})}, {{"axis", 1}});
  x = file.node("Max", {x, numbers({4, 8, 12})});
  x = file.node("SpaceToDepth", {x}, {{"blocksize", 2}});
  x = file.node("Resize", {x, "", "", file.integers({8, 12})}, {{"axes", Integers{2, 3}}});
  const std::string least = file.node("ReduceMin", {x, file.integers({1, 3})});
  x = file.node("PRelu", {file.node("Sub", {x, least}), numbers({16, 1, 1})});
  file.output(file.node("ReduceSum", {file.node("Neg", {x}), file.integers({2, 3})}));
  const std::vector<std::uint8_t> bytes = file.bytes();
  return {bytes.begin(), bytes.end()};
}

}  // namespace

std::vector<std::string> fuzz_corpus(std::uint64_t seed) {
  constexpr int kNetworks = 12;
  RandomStream stream(seed, "fuzz corpus");
  std::vector<std::string> corpus{float_onnx(stream), float_onnx(stream), further_onnx(stream),
                                  further_onnx(stream)};
  for (int i = 0; i < kNetworks; ++i) {
    add_tflite(corpus, random_general_network(stream), stream);
    add_onnx(corpus, random_general_network(stream), stream);
    add_onnx(corpus, random_graph(stream), stream);
    const Network lowered = random_lowered_network(stream);
    add_tflite(corpus, lowered, stream);
    if (const Network graph = random_graph(stream); is_written_as_tflite(graph)) {
      add_file(corpus, export_tflite(random_quantised(graph, stream)));
    }
    corpus.push_back(network_description_json(lowered, i % 2 == 0
                                                           ? DescriptionSpelling::kOnceForAll
                                                           : DescriptionSpelling::kProxylessNas));
  }
  add_file(corpus, integer_file(IntegerForm::kOperators, true, seed));
  add_file(corpus, integer_file(IntegerForm::kOperators, false, seed));
  // Of many that are alike some.
  const std::vector<FileCase> files = file_cases();
  for (std::size_t i = 0; i < files.size(); i += 7) {
    corpus.emplace_back(files[i].file.begin(), files[i].file.end());
  }
  return corpus;
}

}  // namespace patchnas::testing
