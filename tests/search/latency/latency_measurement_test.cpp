// Tables in the making, with the real firmware compiled for this machine.

#include "search/latency/latency_measurement.h"

#include <cmath>
#include <optional>

#include <gtest/gtest.h>

#include "search/engine/latency_file.h"
#include "search/latency/latency_check.h"
#include "search/latency/latency_firmware.h"
#include "tests/search/support.h"

namespace patchnas {
namespace {

class LatencyMeasurementTest : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      require_tools(RunTarget::kHost);
    } catch (const InputError& missing) {
      GTEST_SKIP() << missing.what();
    }
    firmware_.emplace(RunTarget::kHost);
    const FirmwareInfo info = firmware_->line().hello();
    EXPECT_EQ(info.kernels, kernels_version());
    origin_ = {.target = info.target,
               .unit = info.unit,
               .kernels = info.kernels,
               .compiler = "cc",
               .flags = "-O2",
               .clock_hz = 0,
               .repeats = 3,
               .date = "2026-01-31",
               .command = "a test"};
  }

  MeasuringLine& line() { return firmware_->line(); }

  const std::vector<OperatorKey> keys_ = {
      parse_operator_key("pointwise 1x1 1x1 0x0 1x25x16 1x25x24", "test"),
      parse_operator_key("pointwise 1x1 1x1 0x0 5x5x16 5x5x24", "test"),
      parse_operator_key("convolve 3x3 2x2 1x1 11x11x3 6x6x8", "test"),
      parse_operator_key("depthwise 3x3 1x1 0x1 8x8x8 6x7x8", "test"),
      parse_operator_key("depthwise_over_input 5x5 2x2 2x2 9x9x8 5x5x8", "test"),
      parse_operator_key("add 1x1 1x1 0x0 5x5x8 5x5x8", "test"),
      parse_operator_key("average_pool 5x5 1x1 0x0 5x5x8 1x1x8", "test"),
      parse_operator_key("max_pool 2x2 2x2 0x0 6x6x8 3x3x8", "test"),
      parse_operator_key("fully_connected 1x1 1x1 0x0 1x1x64 1x1x10", "test"),
      parse_operator_key("softmax 1x1 1x1 0x0 1x1x10 1x1x10", "test")};
  TestFolder folder_;
  std::optional<LatencyFirmware> firmware_;
  LatencyOrigin origin_;
};

TEST_F(LatencyMeasurementTest, ContinuesWhereItStopped) {
  const std::filesystem::path file = folder_.path() / "host.txt";
  const std::filesystem::path journal = folder_.path() / "host.txt.journal";
  std::map<OperatorKey, Measurement> before;
  {
    LatencyMeasurement measurement(file, origin_);
    for (std::size_t i = 0; i < 5; ++i) {
      EXPECT_TRUE(measurement.measure(line(), keys_[i]));
    }
    before = measurement.table().measurements;
  }  // killed: no table, and a last line that is cut off
  EXPECT_FALSE(std::filesystem::exists(file));
  std::string text = read_file(journal);
  write_file(journal, text + "convolve 3x3 1x1 1x1 7x7x3 7x");
  {
    LatencyMeasurement measurement(file, origin_);
    EXPECT_EQ(measurement.table().measurements, before);
    for (const OperatorKey& key : keys_) {
      EXPECT_TRUE(measurement.measure(line(), key));
    }
    for (const auto& [key, known] : before) {
      EXPECT_EQ(*measurement.table().find(key), known) << "was measured twice";
    }
    measurement.measure_overheads(line());
    measurement.save();
    before = measurement.table().measurements;
  }
  EXPECT_FALSE(std::filesystem::exists(journal));
  EXPECT_EQ(LatencyTable::parse(read_file(file), "host.txt").measurements, before);
  EXPECT_EQ(LatencyMeasurement(file, origin_).table().measurements, before);

  LatencyOrigin other = origin_;
  other.flags = "-O3";
  EXPECT_THROW(LatencyMeasurement(file, other), InputError);
}

TEST_F(LatencyMeasurementTest, LeavesOutWhatDoesNotFit) {
  LatencyMeasurement measurement(folder_.path() / "host.txt", origin_);
  EXPECT_FALSE(measurement.measure(
      line(), parse_operator_key("pointwise 1x1 1x1 0x0 1x90000x64 1x90000x64", "test")));
  EXPECT_TRUE(measurement.table().measurements.empty());
}

TEST(KendallTau, ComparesRankings) {
  EXPECT_DOUBLE_EQ(kendall_tau({1, 2, 3, 4}, {10, 20, 30, 40}), 1.0);
  EXPECT_DOUBLE_EQ(kendall_tau({1, 2, 3, 4}, {4, 3, 2, 1}), -1.0);
  EXPECT_DOUBLE_EQ(kendall_tau({1, 2, 3, 4}, {1, 2, 4, 3}), 4.0 / 6.0);
  EXPECT_NEAR(kendall_tau({1, 1, 2}, {1, 2, 3}), 2.0 / std::sqrt(6.0), 1e-12);
}

}  // namespace
}  // namespace patchnas
