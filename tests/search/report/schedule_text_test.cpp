#include "search/report/schedule_text.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "search/report/estimate.h"
#include "tests/search/support.h"

namespace patchnas {
namespace {

// 8 layers: the stem, two blocks of 3, and more.
class ScheduleText : public ::testing::Test {
 protected:
  const Config config_ = small_config();
  const Network network_ = lower(config_.space, largest(config_.space));
  const std::string layers_ = std::to_string(network_.layer_count());
};

TEST_F(ScheduleText, SaysWhichLayersThePatchStageHas) {
  EXPECT_EQ(describe(network_, PatchSchedule::layer_by_layer()), "layer by layer");
  EXPECT_EQ(describe(network_, PatchSchedule::leading({2, 3}, 1)), "2 x 3 patches over the stem");
  const int first = split_layer_after_block(network_, 1);
  EXPECT_EQ(describe(network_, PatchSchedule::leading({2, 2}, first)),
            "2 x 2 patches over the stem and the first block (" + std::to_string(first) + " of " +
                layers_ + " layers)");
  const int second = split_layer_after_block(network_, 2);
  EXPECT_EQ(describe(network_, PatchSchedule::leading({2, 2}, second)),
            "2 x 2 patches over the stem and the first 2 blocks (" + std::to_string(second) +
                " of " + layers_ + " layers)");
  EXPECT_EQ(describe(network_, PatchSchedule::leading({2, 2}, 2)),
            "2 x 2 patches over the first 2 of " + layers_ + " layers");
}

TEST_F(ScheduleText, SaysEverySegmentWhereverItIs) {
  const Segment inner{.first_layer = 3, .end_layer = 5, .grid = {2, 1}};
  EXPECT_EQ(describe(network_, {{inner}}), "2 x 1 tiles over layers 3 to 4");
  EXPECT_EQ(describe(network_, {{{.first_layer = 0, .end_layer = 1, .grid = {2, 2}}, inner}}),
            "2 x 2 patches over the stem, then 2 x 1 tiles over layers 3 to 4");
  EXPECT_EQ(describe(network_, {{inner, {.first_layer = 5, .end_layer = 6, .grid = {1, 2}}}}),
            "2 x 1 tiles over layers 3 to 4, then 1 x 2 tiles over layer 5");
}

TEST_F(ScheduleText, IsInTheTableOfAnEstimateBesideTheLayers) {
  const PatchSchedule schedule{{{.first_layer = 0, .end_layer = 2, .grid = {2, 2}},
                                {.first_layer = 3, .end_layer = 5, .grid = {2, 1}}}};
  const std::string table = NetworkEstimate(network_, schedule, kUnlimitedTarget, nullptr).table();
  const auto line = [&](int i) {
    std::size_t begin = table.find('\n') + 1;
    for (; i > 0; --i) {
      begin = table.find('\n', begin) + 1;
    }
    return table.substr(begin, table.find('\n', begin) - begin);
  };
  EXPECT_TRUE(line(1).ends_with("  <- end of the patches")) << line(1);
  EXPECT_TRUE(line(3).ends_with("  <- begin of 2 x 1 tiles")) << line(3);
  EXPECT_TRUE(line(4).ends_with("  <- end of the tiles")) << line(4);
  for (const int i : {0, 2, 5}) {
    EXPECT_EQ(line(i).find("<-"), std::string::npos) << line(i);
  }
  EXPECT_NE(table.find("% of the segments; with every tile"), std::string::npos) << table;
}

TEST_F(ScheduleText, InReportsIsWhatTheParserOfSchedulesReads) {
  const PatchSchedule schedule{{{.first_layer = 1, .end_layer = 4, .grid = {2, 3}}}};
  EXPECT_EQ(parse_patch_schedule(schedule_json(schedule).dump(), "report"), schedule);
}

}  // namespace
}  // namespace patchnas
