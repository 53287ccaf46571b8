// Packages of folded networks, with tables that no operator has.

#include <algorithm>

#include <gtest/gtest.h>

#include "deploy/package/c_package.h"
#include "deploy/prepare/fold.h"
#include "deploy/reference/reference_executor.h"
#include "tests/deploy/support/compiled_package.h"
#include "tests/deploy/support/functions_in_a_row.h"
#include "tests/deploy/support/random_quantised.h"

namespace patchnas {
namespace {

TEST(FoldedPackage, ComputesTheBitsOfTheNetworkThatWasFolded) {
  if (!testing::has_c_compiler()) {
    GTEST_SKIP() << "no C compiler (Debian: gcc)";
  }
  RandomStream stream(6, "folded packages");
  std::vector<QuantizedNetwork> networks;
  std::vector<CPackage> packages;
  for (int i = 0; i < 8; ++i) {
    networks.push_back(testing::functions_in_a_row(stream, 3));
    const QuantizedNetwork folded = fold(networks.back()).network;
    EXPECT_LE(folded.network.layer_count(), 3);
    packages.push_back(make_c_package(folded, PatchSchedule::layer_by_layer(), InputMode::kResident,
                                      "net" + std::to_string(i)));
  }
  for (const Arithmetic arithmetic :
       {Arithmetic::kTfliteMicro, Arithmetic::kTfliteMicroSingleRounding}) {
    const bool rounds_once = arithmetic == Arithmetic::kTfliteMicroSingleRounding;
    const testing::CompiledPackages compiled(packages,
                                             rounds_once ? "-DPATCHNAS_SINGLE_ROUNDING" : "");
    ASSERT_EQ(compiled.errors(), "");
    for (std::size_t i = 0; i < networks.size(); ++i) {
      const Network& shapes = networks[i].network;
      const auto image = testing::random_bytes(shapes.input_elements(), stream);
      std::vector<std::int8_t> arena(static_cast<std::size_t>(packages[i].arena_bytes));
      EXPECT_EQ(
          compiled.run_resident("net" + std::to_string(i), image, arena, shapes.output_elements()),
          run_layer_by_layer(networks[i], image, arithmetic));
    }
  }
}

}  // namespace
}  // namespace patchnas
