#include "search/run/standalone_stage.h"

#include "search/engine/candidate_filter.h"
#include "search/run/search_stage.h"
#include "tests/search/support.h"

namespace patchnas {
namespace {

class StandaloneStageTest : public testing::Test {
 protected:
  StandaloneStageTest() {
    config_.output = folder_.path().string();
    config_.training.recipe = TrainingRecipe::kStandalone;
    config_.training.architecture = smallest(config_.space);
  }

  TestFolder folder_;
  Config config_ = small_config();
};

TEST_F(StandaloneStageTest, WritesTheCandidateThatTheSearchWouldMake) {
  RunDirectory run = RunDirectory::start(config_);
  StandaloneStage(run).run();
  const SearchResult result = read_search_result(run.best_candidate_file());
  CandidateFilter filter(config_.space, config_.target, nullptr);
  EXPECT_EQ(result.best, filter.judge(*config_.training.architecture).candidate);
  EXPECT_FALSE(result.best.accuracy);
}

TEST_F(StandaloneStageTest, ANetworkThatDoesNotFitIsSaidHow) {
  config_.target.max_macs = 1000;
  EXPECT_THROW(only_candidate(config_), InfeasibleError);
  const std::string why = message_of<InfeasibleError>([&] { only_candidate(config_); });
  EXPECT_EQ(why.find("training.architecture: does not fit under any patch schedule; the closest "
                     "needs "),
            0U)
      << why;
  EXPECT_NE(why.find(" MACs ("), std::string::npos) << why;
  EXPECT_NE(why.find(" over the limit of 1,000)"), std::string::npos) << why;
}

}  // namespace
}  // namespace patchnas
