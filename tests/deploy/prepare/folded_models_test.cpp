// Published networks, folded, against the bytes that TensorFlow Lite Micro gave for them.

#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "deploy/prepare/fold.h"
#include "deploy/reference/reference_executor.h"
#include "deploy/tflite/tflite_import.h"
#include "tests/deploy/support/random_quantised.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

std::vector<std::int8_t> read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file),
                                std::istreambuf_iterator<char>()};
  return {bytes.begin(), bytes.end()};
}

TEST(FoldedModels, GiveTheRecordedBytes) {
  const fs::path folder = testing::shared_models();
  int count = 0;
  for (const char* const name : {"mcunet-5fps_vww", "mcunet-10fps_vww", "mcunet-320kb-1mb_vww",
                                 "mlperf_vww_96_int8", "mlperf_resnet8_int8"}) {
    if (!fs::exists(folder / (std::string(name) + ".tflite"))) {
      continue;
    }
    ++count;
    const FoldedNetwork folding =
        fold(import_tflite_file(folder / (std::string(name) + ".tflite")));
    EXPECT_EQ(
        run_layer_by_layer(folding.network, read(folder / "vectors" / (std::string(name) + ".in"))),
        read(folder / "vectors" / (std::string(name) + ".out")))
        << name;
  }
  if (count == 0) {
    GTEST_SKIP() << "no reference networks in " << folder;
  }
}

TEST(FoldedModels, PersonDetectionLosesNearlyHalfOfItsProducts) {
  const fs::path file = testing::shared_models() / "mlperf_vww_96_int8.tflite";
  if (!fs::exists(file)) {
    GTEST_SKIP() << "no " << file;
  }
  const QuantizedNetwork network = import_tflite_file(file);
  const FoldedParts removed = fold(network).removed;
  EXPECT_GT(removed.macs * 100, network_macs(network.network) * 45);
  EXPECT_GT(removed.weights * 100, parameter_count(network.network) * 75);
}

}  // namespace
}  // namespace patchnas
