#include "search/run/search_stage.h"

#include "search/engine/candidate_store.h"
#include "tests/search/support.h"

namespace patchnas {
namespace {

struct Killed {};

/// Accuracy from the architecture alone; dies like a killed process after `budget` candidates.
class MockEvaluator : public Evaluator {
 public:
  MockEvaluator(int& evaluated, int budget) : evaluated_(evaluated), budget_(budget) {}
  std::vector<double> evaluate(std::span<const Candidate> candidates) override {
    std::vector<double> accuracies;
    for (const Candidate& candidate : candidates) {
      if (budget_-- == 0) {
        throw Killed{};
      }
      ++evaluated_;
      RandomStream stream(1, to_json(candidate.architecture));
      accuracies.push_back(stream.uniform());
    }
    return accuracies;
  }

 private:
  int& evaluated_;
  int budget_;
};

class SearchStageTest : public testing::Test {
 protected:
  /// Runs the search in `name` until it is done or `budget` more candidates are evaluated.
  bool run(const std::string& name, int budget) {
    config_.name = name;
    config_.output = folder_.path().string();
    RunDirectory directory = RunDirectory::start(config_);
    SearchStage stage(directory,
                      [&] { return std::make_unique<MockEvaluator>(evaluated_, budget); });
    try {
      stage.run();
    } catch (const Killed&) {
      return false;
    }
    return true;
  }

  /// Everything the search wrote, by file name.
  [[nodiscard]] std::map<std::string, std::string> files(const std::string& name) const {
    std::map<std::string, std::string> result;
    for (const char* folder : {"search", "best"}) {
      for (const auto& entry :
           std::filesystem::directory_iterator(folder_.path() / name / folder)) {
        result[entry.path().filename().string()] = contents(entry.path());
      }
    }
    result["metrics.jsonl"] = contents(folder_.path() / name / "metrics.jsonl");
    return result;
  }

  TestFolder folder_;
  Config config_ = small_config();
  int evaluated_ = 0;
};

TEST_F(SearchStageTest, WritesGenerationsAndTheWinner) {
  ASSERT_TRUE(run("undisturbed", 1000));
  const auto written = files("undisturbed");
  EXPECT_EQ(written.size(), 6U + 1U + 1U + 1U);  // generations, candidates, winner, metrics
  const SearchResult result = parse_search_result(written.at("candidate.json"), "candidate.json");
  EXPECT_EQ(result.counts.evaluated, evaluated_);
  const CandidateStore store(folder_.path() / "undisturbed/search/candidates.jsonl",
                             run_identity(config_));
  EXPECT_EQ(static_cast<int>(store.candidates().size()), evaluated_);
  for (const auto& [architecture, candidate] : store.candidates()) {
    EXPECT_LE(*candidate.accuracy, *result.best.accuracy);
  }
  EXPECT_EQ(parse_search_result(to_json(result), "again"), result);
}

TEST_F(SearchStageTest, ResumedAtAnyPointWritesTheSameFiles) {
  ASSERT_TRUE(run("undisturbed", 1000));
  const int all = evaluated_;
  for (int killed_after = 0; killed_after < all; killed_after += 7) {
    const std::string name = "killed_" + std::to_string(killed_after);
    evaluated_ = 0;
    ASSERT_FALSE(run(name, killed_after));
    ASSERT_TRUE(run(name, 1000));
    EXPECT_EQ(evaluated_, all) << "nothing is evaluated twice";
    EXPECT_EQ(files(name), files("undisturbed")) << killed_after;
  }
}

TEST_F(SearchStageTest, ATornCandidateIsEvaluatedAgain) {
  ASSERT_TRUE(run("undisturbed", 1000));
  ASSERT_FALSE(run("torn", 30));
  const auto path = folder_.path() / "torn/search/candidates.jsonl";
  overwrite(path, contents(path).substr(0, contents(path).size() - 20));
  ASSERT_TRUE(run("torn", 1000));
  EXPECT_EQ(files("torn"), files("undisturbed"));
}

TEST_F(SearchStageTest, ADamagedCandidateComesBackToItsPlace) {
  ASSERT_TRUE(run("undisturbed", 1000));
  ASSERT_FALSE(run("damaged", 30));
  const auto path = folder_.path() / "damaged/search/candidates.jsonl";
  std::string text = contents(path);
  text[text.size() / 3] = '#';
  overwrite(path, text);
  ASSERT_TRUE(run("damaged", 1000));
  EXPECT_EQ(files("damaged"), files("undisturbed"));
}

TEST_F(SearchStageTest, InfeasibleLimitsEvaluateNothing) {
  config_.target.sram_bytes = 100;
  config_.search.max_attempts = 50;
  EXPECT_THROW(run("infeasible", 1000), InfeasibleError);
  EXPECT_EQ(evaluated_, 0);
}

}  // namespace
}  // namespace patchnas
