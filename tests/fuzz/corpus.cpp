#include "tests/fuzz/corpus.h"

#include "arch/arch.h"
#include "deploy/tflite/tflite_export.h"
#include "tests/deploy/support/float_file.h"
#include "tests/deploy/support/random_quantised.h"
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

}  // namespace

std::vector<std::string> fuzz_corpus(std::uint64_t seed) {
  constexpr int kNetworks = 12;
  RandomStream stream(seed, "fuzz corpus");
  std::vector<std::string> corpus;
  for (int i = 0; i < kNetworks; ++i) {
    add_tflite(corpus, random_general_network(stream), stream);
    const Network lowered = random_lowered_network(stream);
    add_tflite(corpus, lowered, stream);
    add_file(corpus, export_tflite(random_quantised(random_graph(stream), stream)));
    corpus.push_back(network_description_json(lowered, i % 2 == 0
                                                           ? DescriptionSpelling::kOnceForAll
                                                           : DescriptionSpelling::kProxylessNas));
  }
  return corpus;
}

}  // namespace patchnas::testing
