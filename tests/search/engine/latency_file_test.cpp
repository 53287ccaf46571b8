#include "search/engine/latency_file.h"

#include <gtest/gtest.h>

#include "search/base/files.h"
#include "tests/search/support.h"

namespace patchnas {
namespace {

// After a change of runtime/ they are measured again: docs/latency.md.
TEST(ShippedLatencyTables, AreOfTheKernelsBesideThem) {
  for (const Core core : kCores) {
    Target target;
    target.core = core;
    target.latency_table = std::string(to_string(core));
    const std::unique_ptr<LatencyModel> model = latency_model_for(target);
    EXPECT_EQ(model->unit(), "instructions");
    EXPECT_GT(model->table().measurements.size(), 1000U);
  }
}

TEST(LatencyModelFor, NeedsATableOfTheTargetsCore) {
  Target target;
  EXPECT_EQ(latency_model_for(target), nullptr);
  target.core = Core::kCortexM55;
  target.latency_table = "cortex-m4";
  EXPECT_NE(message_of([&] {
              latency_model_for(target);
            }).find("measured on cortex-m4, not on cortex-m55"),
            std::string::npos);
  target.latency_table = "no-such-core";
  EXPECT_NE(
      message_of([&] { latency_model_for(target); }).find("no-such-core: no such latency table"),
      std::string::npos);
}

TEST(LatencyModelFor, RefusesATableOfOtherKernels) {
  const TestFolder folder;
  const std::filesystem::path file = folder.path() / "old.txt";
  std::string text =
      read_file(std::string(PATCHNAS_SOURCE_DIR) + "/latency_models/tables/cortex-m4.txt");
  text.replace(text.find("kernels: ") + 9, 4, "0000");
  write_file(file, text);
  Target target;
  target.latency_table = file.string();
  const std::string message = message_of([&] { latency_model_for(target); });
  EXPECT_NE(message.find("old.txt: measured with other kernels (0000"), std::string::npos)
      << message;
  EXPECT_NE(message.find("measure again: measure_latency"), std::string::npos) << message;
}

TEST(Milliseconds, FollowFromTheClockAndWhatIsAssumed) {
  Target target;
  EXPECT_EQ(latency_text(2e6, "instructions", target), "2,000,000 instructions");
  target.clock_mhz = 100.0;
  target.instructions_per_cycle = 0.8;
  EXPECT_EQ(latency_text(2e6, "instructions", target),
            "2,000,000 instructions (25 ms at 100 MHz and 0.8 instructions a cycle)");
  EXPECT_EQ(latency_text(2e6, "cycles", target), "2,000,000 cycles (20 ms at 100 MHz)");
  EXPECT_EQ(latency_text(2e6, "nanoseconds", target), "2,000,000 nanoseconds (2 ms)");
}

}  // namespace
}  // namespace patchnas
