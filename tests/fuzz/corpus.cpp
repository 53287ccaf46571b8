#include "tests/fuzz/corpus.h"

#include "arch/arch.h"
#include "deploy/tflite/tflite_export.h"
#include "tests/deploy/support/float_file.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/support/network_json.h"
#include "tests/support/random_networks.h"

namespace patchnas::testing {
namespace {

void add_tflite(std::vector<std::string>& corpus, const Network& network, RandomStream& stream) {
  try {
    QuantizedNetwork quantised = random_quantised(network, stream);
    const std::vector<std::uint8_t> file = export_tflite(quantised);
    const std::vector<std::uint8_t> floats = with_float_numbers(file);
    corpus.emplace_back(file.begin(), file.end());
    corpus.emplace_back(floats.begin(), floats.end());
    quantised.input_ends[0] = {.numbers = EndNumbers::kFloat32,
                               .restated = TensorQuantisation{0.5F, 3}};
    quantised.output_ends[0] = {.numbers = EndNumbers::kUint8, .uint8 = {0.25F, 128}};
    const std::vector<std::uint8_t> converted = export_tflite(quantised);
    corpus.emplace_back(converted.begin(), converted.end());
  } catch (const InputError&) {
    // A pooling whose padding the format cannot express.
  }
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
    corpus.push_back(network_description_json(lowered, i % 2 == 0
                                                           ? DescriptionSpelling::kOnceForAll
                                                           : DescriptionSpelling::kProxylessNas));
  }
  return corpus;
}

}  // namespace patchnas::testing
