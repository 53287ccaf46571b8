// MobileNetV2 1.0 at 224x224 against the figures published for it (Lin et al., NeurIPS 2021; the
// layer-by-layer and input + output figures agree with ExecuTorch's arena,
// pytorch/executorch#17651).

#include <algorithm>

#include <gtest/gtest.h>

#include "arch/arch.h"
#include "memory_models/memory_models.h"

namespace patchnas {
namespace {

constexpr std::int64_t kKib = 1024;

class MobileNetV2 : public ::testing::Test {
 protected:
  MobileNetV2() {
    YamlReader file =
        YamlReader::parse_file(PATCHNAS_SOURCE_DIR "/configs/networks/mobilenet_v2.yaml");
    const SearchSpace space = parse_search_space(file.map("space"));
    EXPECT_EQ(count_architectures(space), "1");
    network_ = lower(space, largest(space));
    // The block that first reaches 28x28 is the fourth.
    split_ = split_layer_after_block(network_, 4);
  }

  [[nodiscard]] std::int64_t paper_bytes(const PatchSchedule& schedule) const {
    return memory_report(network_, schedule, MemoryModel::kMcunetV2, InputMode::kStreamed)
        .peak_sram_bytes;
  }

  Network network_;
  int split_ = 0;
};

TEST_F(MobileNetV2, HasThePublishedSize) {
  EXPECT_NEAR(static_cast<double>(network_macs(network_)), 300.8e6, 0.05e6);
  EXPECT_EQ(network_.shape(split_), (TensorShape{28, 28, 32}));
}

TEST_F(MobileNetV2, LayerByLayer) {
  EXPECT_EQ(paper_bytes(PatchSchedule::layer_by_layer()), 1'404'928);
  // Plain input + output, nothing in place: the depthwise layer at 112x112.
  std::int64_t plain = 0;
  for (int layer = 0; layer < network_.layer_count(); ++layer) {
    plain =
        std::max(plain, network_.shape(layer).elements() + network_.shape(layer + 1).elements());
  }
  EXPECT_EQ(plain, 1'505'280);
}

TEST_F(MobileNetV2, FourByFourPatches) {
  const PatchSchedule schedule = PatchSchedule::leading({4, 4}, split_);
  const MemoryReport report =
      memory_report(network_, schedule, MemoryModel::kMcunetV2, InputMode::kStreamed);
  EXPECT_EQ(report.peak_sram_bytes, 175'616);  // 172 kB
  EXPECT_EQ(network_.layer_name(report.peak_layer),
            "stage2.block1.expand");  // the first block after the split
  const auto end = report.layer_bytes.begin() + split_;
  const std::int64_t patch_stage = *std::max_element(report.layer_bytes.begin(), end);
  EXPECT_NEAR(static_cast<double>(patch_stage) / kKib, 158.5, 0.05);
  EXPECT_EQ(network_.shape(split_).elements(), 24 * kKib + kKib / 2);
  // The whole image in SRAM as well.
  EXPECT_NEAR(static_cast<double>(patch_stage + network_.input.elements()) / kKib, 305.5, 0.05);
}

TEST_F(MobileNetV2, InteriorPatchReads75Pixels) {
  const SegmentGeometry geometry(network_, {.first_layer = 0, .end_layer = split_, .grid = {4, 4}});
  const Rect interior = geometry.external_window(kImage, 1, 1);
  EXPECT_EQ(interior.rows.size(), 75);
  EXPECT_EQ(interior.cols.size(), 75);
  EXPECT_LT(geometry.external_window(kImage, 0, 0).rows.size(), 75);
}

TEST_F(MobileNetV2, OverheadOfRecomputedHalos) {
  const SegmentGeometry geometry(network_, {.first_layer = 0, .end_layer = split_, .grid = {4, 4}});
  std::int64_t once = 0;
  std::int64_t clipped = 0;
  std::int64_t interior = 0;
  for (int layer = 0; layer < split_; ++layer) {
    once += layer_macs(network_, layer);
    clipped += macs_per_pixel(network_, layer) * geometry.computed_pixels(layer);
    interior += macs_per_pixel(network_, layer) * 16 * geometry.tile(layer, 1, 1).computed.pixels();
  }
  const auto overhead = [&](std::int64_t macs) {
    return static_cast<double>(macs) / static_cast<double>(once) - 1;
  };
  EXPECT_NEAR(overhead(interior), 0.42, 0.005);
  EXPECT_NEAR(overhead(clipped), 0.31, 0.005);
  const PatchSchedule schedule = PatchSchedule::leading({4, 4}, split_);
  EXPECT_EQ(unclipped_macs(network_, schedule) - network_macs(network_), interior - once);
  const double whole =
      static_cast<double>(scheduled_macs(network_, PatchSchedule::leading({4, 4}, split_)));
  EXPECT_NEAR(whole / static_cast<double>(network_macs(network_)) - 1, 0.093, 0.001);
}

TEST_F(MobileNetV2, ThePublishedScheduleIsTheBest) {
  PatchSchedule best;
  for (const PatchSchedule& schedule :
       enumerate_schedules(network_, square_grids({1, 2, 3, 4}), SplitPoints::kBlocks)) {
    if (paper_bytes(schedule) < paper_bytes(best)) {
      best = schedule;
    }
  }
  EXPECT_EQ(best, PatchSchedule::leading({4, 4}, split_));
  const auto after_block = [&](int blocks) {
    return static_cast<double>(
        paper_bytes(PatchSchedule::leading({4, 4}, split_layer_after_block(network_, blocks))));
  };
  EXPECT_NEAR(after_block(5) / kKib, 226.7, 0.05);
  EXPECT_NEAR(after_block(3) / kKib, 514.5, 0.05);
}

TEST_F(MobileNetV2, Flash) {
  const FlashReport flash =
      flash_report(network_, ExecutionPlan(network_, {}, InputMode::kResident), Core::kCortexM4);
  EXPECT_EQ(flash.weights_bytes + flash.biases_bytes / 4, parameter_count(network_));
  EXPECT_EQ(flash.requantisation_bytes, flash.biases_bytes / 4 * 5);
}

}  // namespace
}  // namespace patchnas
