// The published int8 networks, against the outputs that TensorFlow Lite Micro's reference kernels
// gave for them.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include <gtest/gtest.h>

#include "deploy/reference/arena_executor.h"
#include "deploy/reference/reference_executor.h"
#include "deploy/tflite/tflite_export.h"
#include "deploy/tflite/tflite_import.h"
#include "memory_models/memory_models.h"
#include "tests/deploy/support/random_quantised.h"

namespace patchnas {
namespace {

std::vector<std::int8_t> read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file),
                                std::istreambuf_iterator<char>()};
  return {bytes.begin(), bytes.end()};
}

class ReferenceModel : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::filesystem::path folder = testing::shared_models();
    const std::filesystem::path model = folder / (std::string(GetParam()) + ".tflite");
    if (!std::filesystem::exists(model)) {
      GTEST_SKIP() << "no reference networks in " << folder;
    }
    network_ = import_tflite_file(model);
    input_ = read(folder / "vectors" / (std::string(GetParam()) + ".in"));
    output_ = read(folder / "vectors" / (std::string(GetParam()) + ".out"));
    ASSERT_FALSE(output_.empty());
  }

  QuantizedNetwork network_;
  std::vector<std::int8_t> input_;
  std::vector<std::int8_t> output_;
};

TEST_P(ReferenceModel, GivesTheRecordedBytes) {
  EXPECT_EQ(run_layer_by_layer(network_, input_), output_);
}

TEST_P(ReferenceModel, GivesTheRecordedBytesPatchByPatch) {
  const Network& shapes = network_.network;
  for (const int patches : {2, 3, 5}) {
    for (int split = patches; split <= shapes.layer_count() / 2; split += 7) {
      const TensorShape& out = shapes.shape(split);
      if (out.height < patches || out.width < patches) {
        continue;
      }
      const PatchSchedule schedule = PatchSchedule::leading({patches, patches}, split);
      const InputMode mode =
          (split + patches) % 2 == 0 ? InputMode::kResident : InputMode::kStreamed;
      const ArenaExecutor executor(network_, schedule, mode);
      std::vector<std::int8_t> arena(static_cast<std::size_t>(executor.plan().arena_bytes),
                                     std::int8_t{77});
      EXPECT_EQ(executor.run(image_source(input_, shapes.input), arena), output_)
          << patches << "x" << patches << " patches over layers [0, " << split << ")";
    }
  }
}

TEST_P(ReferenceModel, SurvivesExportAndImport) {
  EXPECT_EQ(import_tflite(export_tflite(network_), "exported"), network_);
}

// What TensorFlow Lite Micro (commit 90b983c2b, x86-64, reference kernels) plans for the tensors of
// each file: the non-persistent part of its arena.
TEST_P(ReferenceModel, NeedsWhatTensorFlowLiteMicroPlans) {
  const std::map<std::string, std::int64_t> planned = {
      {"mcunet-10fps_vww", 111'360},    {"mcunet-5fps_vww", 161'472},
      {"tinyengine_vww_int8", 161'472}, {"mcunet-256kb-1mb_imagenet", 382'336},
      {"mlperf_vww_96_int8", 73'728},   {"mlperf_resnet8_int8", 49'152}};
  const MemoryReport report = memory_report(network_.network, PatchSchedule::layer_by_layer(),
                                            MemoryModel::kTflm, InputMode::kResident);
  EXPECT_EQ(report.peak_sram_bytes, planned.at(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Published, ReferenceModel,
                         ::testing::Values("mcunet-10fps_vww", "mcunet-5fps_vww",
                                           "mcunet-256kb-1mb_imagenet", "tinyengine_vww_int8",
                                           "mlperf_vww_96_int8", "mlperf_resnet8_int8"),
                         [](const auto& name) {
                           std::string text = name.param;
                           std::replace(text.begin(), text.end(), '-', '_');
                           return text;
                         });

}  // namespace
}  // namespace patchnas
