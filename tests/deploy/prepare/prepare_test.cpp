// What is scheduled gives the bytes of what was read.

#include "deploy/prepare/prepare.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "deploy/reference/reference_executor.h"
#include "memory_models/memory_models.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

std::int64_t sram_bytes(const QuantizedNetwork& network) {
  return memory_report(network.network, PatchSchedule::layer_by_layer(), MemoryModel::kDeployed,
                       InputMode::kResident)
      .peak_sram_bytes;
}

TEST(Prepare, GivesTheSameBytesInNoMoreMemory) {
  RandomStream stream(5, "prepare");
  int joined = 0;
  for (int round = 0; round < 100; ++round) {
    const QuantizedNetwork network =
        testing::random_quantised(testing::random_graph(stream), stream);
    const auto image = testing::random_bytes(network.network.input_elements(), stream);
    const auto outputs = run_layer_by_layer(network, image);
    for (const Folding folding : {Folding::kExact, Folding::kNone}) {
      const Preparation prepared = prepare(network, folding);
      EXPECT_EQ(run_layer_by_layer(prepared.network, image), outputs) << "round " << round;
      EXPECT_LE(sram_bytes(prepared.network), sram_bytes(network)) << "round " << round;
      const std::vector<Layer>& layers = prepared.network.network.layers;
      joined += std::any_of(layers.begin(), layers.end(),
                            [](const Layer& layer) { return layer.writes_part(); })
                    ? 1
                    : 0;
    }
  }
  EXPECT_GT(joined, 5);
}

}  // namespace
}  // namespace patchnas
