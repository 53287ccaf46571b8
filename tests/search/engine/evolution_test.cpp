#include "search/engine/evolution.h"

#include <set>

#include "tests/search/support.h"

namespace patchnas {
namespace {

/// The share of blocks with kernel 5 and expansion 3; larger networks break ties.
double landscape(const Architecture& architecture) {
  double score = architecture.resolution == 20 ? 1.0 : 0.0;
  double blocks = 1.0;
  for (const auto& stage : architecture.stages) {
    score += stage.size() == 2 ? 1.0 : 0.0;
    blocks += 1.0;
    for (const BlockChoice& block : stage) {
      score += (block.kernel_size == 5 ? 0.5 : 0.0) + (block.expand_ratio == 3 ? 0.5 : 0.0);
      blocks += 1.0;
    }
  }
  return score / (blocks + 0.01);
}

struct Setting {
  Config config = small_config();
  EvolutionSettings settings = config.search;
  CandidateFilter filter() const { return {config.space, config.target, nullptr}; }
};

std::vector<double> evaluate(std::span<const Candidate> candidates) {
  std::vector<double> accuracies;
  for (const Candidate& candidate : candidates) {
    accuracies.push_back(landscape(candidate.architecture));
  }
  return accuracies;
}

struct Outcome {
  std::vector<std::vector<Candidate>> populations;
  EvolutionCounts counts;
  Candidate best;
  bool operator==(const Outcome&) const = default;
};

Outcome run(const Setting& setting, std::uint64_t seed) {
  CandidateFilter filter = setting.filter();
  Evolution evolution(setting.settings, filter, seed);
  Outcome outcome;
  while (!evolution.finished()) {
    evolution.report(evaluate(evolution.proposals()));
    outcome.populations.push_back(evolution.population());
  }
  outcome.counts = evolution.counts();
  outcome.best = evolution.best();
  return outcome;
}

TEST(Evolution, FindsTheOptimumOfAKnownLandscape) {
  Setting setting;
  setting.config.target = {.sram_bytes = 1 << 20, .flash_bytes = 1 << 20};
  setting.settings.iterations = 20;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Candidate best = run(setting, seed).best;
    EXPECT_DOUBLE_EQ(*best.accuracy, landscape(largest(setting.config.space))) << to_json(best);
  }
}

TEST(Evolution, IsDeterministicAndDependsOnTheSeed) {
  const Setting setting;
  EXPECT_EQ(run(setting, 1), run(setting, 1));
  EXPECT_NE(run(setting, 1).populations[0], run(setting, 2).populations[0]);
}

TEST(Evolution, HasThePublishedShape) {
  const Setting setting;
  const Outcome outcome = run(setting, 3);
  ASSERT_EQ(outcome.populations.size(), 1U + 5U);
  EXPECT_EQ(outcome.populations[0].size(), 20U);
  for (std::size_t g = 1; g < outcome.populations.size(); ++g) {
    EXPECT_EQ(outcome.populations[g].size(), 6U + 10U + 10U);
  }
}

TEST(Evolution, KeepsTheBestAsParents) {
  const Outcome outcome = run(Setting(), 4);
  ASSERT_EQ(outcome.populations.size(), 6U);
  for (std::size_t g = 1; g < outcome.populations.size(); ++g) {
    const std::vector<Candidate>& now = outcome.populations[g];
    for (std::size_t parent = 0; parent < 6; ++parent) {
      EXPECT_EQ(std::count(now.begin(), now.end(), outcome.populations[g - 1][parent]), 1);
    }
    EXPECT_GE(*now[0].accuracy, *outcome.populations[g - 1][0].accuracy);
  }
}

TEST(Evolution, ProposesOnlyWhatFitsAndNothingTwice) {
  const Setting setting;
  CandidateFilter filter = setting.filter();
  Evolution evolution(setting.settings, filter, 5);
  std::set<Architecture> seen;
  while (!evolution.finished()) {
    for (const Candidate& candidate : evolution.proposals()) {
      EXPECT_TRUE(seen.insert(candidate.architecture).second) << to_json(candidate);
      EXPECT_TRUE(contains(setting.config.space, candidate.architecture).contained);
      EXPECT_LE(candidate.costs.sram_bytes, setting.config.target.sram_bytes);
      EXPECT_LE(candidate.costs.flash_bytes, setting.config.target.flash_bytes);
    }
    evolution.report(evaluate(evolution.proposals()));
  }
  const EvolutionCounts& counts = evolution.counts();
  EXPECT_EQ(counts.evaluated, static_cast<std::int64_t>(seen.size()));
  EXPECT_EQ(counts.sampled, counts.evaluated + counts.duplicates + counts.rejected);
}

TEST(Evolution, CountsWhatItRejects) {
  Setting tight;
  tight.config.target.sram_bytes = 5 * 1024;
  EXPECT_GT(run(tight, 1).counts.rejected, 0);
  Setting generous;
  generous.config.target = {.sram_bytes = 1 << 20, .flash_bytes = 1 << 20};
  EXPECT_EQ(run(generous, 1).counts.rejected, 0);
}

TEST(Evolution, ExhaustsASpaceThatIsSmallerThanThePopulation) {
  Setting setting;
  setting.settings.max_attempts = 200;
  setting.config.space.resolutions = {16};
  for (StageSpace& stage : setting.config.space.stages) {
    stage.depths = {1};
    stage.kernel_sizes = {3};
    stage.expand_ratios = {1, 2};
    stage.widths = {stage.widths.front()};
  }
  const Outcome outcome = run(setting, 1);
  EXPECT_EQ(outcome.counts.evaluated, 4);
  EXPECT_EQ(outcome.populations.back().size(), 4U);
}

TEST(Evolution, SaysHowCloseItGetsWhenNothingFits) {
  Setting setting;
  setting.settings.max_attempts = 100;
  setting.config.target.sram_bytes = 200;
  CandidateFilter filter = setting.filter();
  const std::string message =
      message_of<InfeasibleError>([&] { const Evolution evolution(setting.settings, filter, 1); });
  EXPECT_EQ(message.find("nothing in the search space fits: neither its smallest architecture nor "
                         "any of 100 random "
                         "ones, under any patch schedule; the closest needs "),
            0U)
      << message;
  EXPECT_NE(message.find("over the limit of 200) and"), std::string::npos) << message;
  EXPECT_NE(message.find("; with target.input=streamed it would need "), std::string::npos)
      << message;
}

TEST(Evolution, GrowsFromTheSmallestWhereChanceFindsNothing) {
  Setting setting;
  CandidateFilter generous(setting.config.space, {.sram_bytes = 1 << 30, .flash_bytes = 1 << 30},
                           nullptr);
  const Candidate smallest_candidate = generous.judge(smallest(setting.config.space)).candidate;
  setting.config.target.flash_bytes = smallest_candidate.costs.flash_bytes;
  setting.settings.max_attempts = 3;
  const Outcome outcome = run(setting, 1);
  EXPECT_GE(outcome.counts.evaluated, 1);
  EXPECT_LE(outcome.best.costs.flash_bytes, smallest_candidate.costs.flash_bytes);
}

}  // namespace
}  // namespace patchnas
