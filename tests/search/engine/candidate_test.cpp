#include "search/engine/candidate.h"

#include "search/engine/candidate_filter.h"
#include "search/engine/candidate_store.h"
#include "tests/search/support.h"

namespace patchnas {
namespace {

/// Evaluated candidates of the small space.
std::vector<Candidate> random_candidates(int count) {
  const Config config = small_config();
  RandomStream stream(3, "candidates");
  std::vector<Candidate> candidates;
  while (static_cast<int>(candidates.size()) < count) {
    Candidate candidate;
    candidate.architecture = sample(config.space, stream);
    const Network network = lower(config.space, candidate.architecture);
    candidate.schedule =
        stream.pick(enumerate_schedules(network, square_grids({1, 2, 3}), SplitPoints::kLayers));
    candidate.costs = costs_of(network, candidate.schedule, config.target);
    candidate.accuracy = stream.uniform();
    candidates.push_back(candidate);
  }
  return candidates;
}

TEST(Candidate, JsonRoundTrips) {
  for (Candidate candidate : random_candidates(50)) {
    EXPECT_EQ(parse_candidate(to_json(candidate), "line"), candidate);
    EXPECT_EQ(to_json(candidate).find('\n'), std::string::npos);
    candidate.accuracy.reset();
    EXPECT_EQ(parse_candidate(to_json(candidate), "line"), candidate);
  }
}

TEST(Candidate, JsonIsAsItAlwaysWas) {
  const Candidate candidate{.architecture = {.resolution = 28, .stages = {{{3, 4, 16}}, {}}},
                            .schedule = PatchSchedule::leading({2, 3}, 7),
                            .costs = {.macs = 1, .sram_bytes = 2, .flash_bytes = 3, .latency = 1e7},
                            .accuracy = 0.1};
  EXPECT_EQ(
      to_json(candidate),
      R"({"id":")" + candidate.id() +
          R"(","architecture":{"resolution":28,"stages":[[{"kernel":3,"expand":4,"width":16}],[]]},)"
          R"("schedule":{"segments":[{"first_layer":0,"end_layer":7,"rows":2,"cols":3,)"
          R"("halo":"recompute"}]},)"
          R"("costs":{"macs":1,"sram_bytes":2,"flash_bytes":3,"latency":10000000.0},)"
          R"("accuracy":0.1})");
}

TEST(Candidate, IdFollowsFromArchitectureAndScheduleAlone) {
  const Candidate original = random_candidates(1).front();
  Candidate other = original;
  other.accuracy = 0.5;
  other.costs = {};
  EXPECT_EQ(other.id(), original.id());
  other.architecture.resolution += 1;
  EXPECT_NE(other.id(), original.id());
}

TEST(Candidate, ChangedContentOrOtherTextIsRejected) {
  const Candidate candidate = random_candidates(1).front();
  std::string json = to_json(candidate);
  json[json.find("\"id\":\"") + 6] ^= 1;
  EXPECT_THROW(parse_candidate(json, "line"), InputError);
  EXPECT_THROW(parse_candidate("{}", "line"), InputError);
  EXPECT_THROW(parse_candidate("", "line"), InputError);
}

TEST(Candidate, NumbersThatCannotBeAreRejected) {
  const std::string json = to_json(random_candidates(1).front());
  const auto with = [&](const std::string& key, const std::string& number) {
    const std::size_t begin = json.find("\"" + key + "\":") + key.size() + 3;
    return json.substr(0, begin) + number + json.substr(json.find_first_of(",}", begin));
  };
  EXPECT_NO_THROW(parse_candidate(with("accuracy", "1.0"), "line"));
  for (const char* key : {"accuracy", "macs", "sram_bytes", "flash_bytes"}) {
    for (const char* number : {"-1", "NaN", "1e999", "null", "\"1\"", "[1]"}) {
      EXPECT_THROW(parse_candidate(with(key, number), "line"), InputError) << key << " " << number;
    }
  }
  EXPECT_EQ(message_of([&] { parse_candidate(with("accuracy", "1.5"), "line"); }),
            "line: accuracy 1.5; allowed: 0 to 1");
}

TEST(Candidate, DeepNestingIsRejectedBeforeTheStackIsUsedUp) {
  const std::string deep(1000000, '[');
  EXPECT_EQ(message_of([&] { parse_candidate(R"({"id":"[","architecture":)" + deep, "line"); }),
            "line: nested more than 100 deep");
}

class StoredCandidates : public testing::Test {
 protected:
  void SetUp() override {
    CandidateStore store(path_, "run");
    for (const Candidate& candidate : random_candidates(5)) {
      store.add(candidate);
    }
    text_ = contents(path_);
  }
  TestFolder folder_;
  std::filesystem::path path_ = folder_.path() / "candidates.jsonl";
  std::string text_;
};

TEST_F(StoredCandidates, AreFoundAgain) {
  const CandidateStore store(path_, "run");
  EXPECT_TRUE(store.warnings().empty());
  for (const Candidate& candidate : random_candidates(5)) {
    ASSERT_NE(store.find(candidate.architecture), nullptr);
    EXPECT_EQ(store.find(candidate.architecture)->accuracy, candidate.accuracy);
    EXPECT_EQ(*store.find_id(candidate.id()), candidate);
  }
  EXPECT_EQ(store.find_id("0000000000000000"), nullptr);
}

TEST_F(StoredCandidates, OfAnotherRunAreDropped) {
  const CandidateStore store(path_, "another run");
  EXPECT_TRUE(store.candidates().empty());
  EXPECT_EQ(store.warnings().size(), 5U);
}

TEST_F(StoredCandidates, ATornLastLineIsCutOff) {
  const std::size_t last_line = text_.rfind('\n', text_.size() - 2) + 1;
  for (std::size_t length = last_line + 1; length < text_.size(); ++length) {
    overwrite(path_, text_.substr(0, length));
    const CandidateStore store(path_, "run");
    ASSERT_EQ(store.candidates().size(), 4U) << length;
    ASSERT_EQ(store.warnings().size(), 1U);
    EXPECT_EQ(store.warnings()[0].find(path_.string() + ":5: "), 0U) << store.warnings()[0];
    EXPECT_EQ(contents(path_), text_.substr(0, last_line));
  }
}

TEST_F(StoredCandidates, ADamagedLineIsDroppedWhereverItIs) {
  RandomStream stream(5, "damage");
  for (int i = 0; i < 200; ++i) {
    std::string damaged = text_;
    const auto position = static_cast<std::size_t>(stream.below(text_.size() - 1));
    if (text_[position] == '\n') {
      continue;
    }
    damaged[position] = static_cast<char>(damaged[position] ^ (1 << stream.below(7)));
    overwrite(path_, damaged);
    const CandidateStore store(path_, "run");
    EXPECT_EQ(store.candidates().size(), 4U) << position;
    EXPECT_FALSE(store.warnings().empty());
    EXPECT_TRUE(CandidateStore(path_, "run").warnings().empty()) << "the damage is reported once";
  }
}

TEST_F(StoredCandidates, ReadOnlyTheFileStaysAsItIs) {
  const std::string damaged = text_.substr(0, text_.size() - 5);
  overwrite(path_, damaged);
  const CandidateStore store(path_, "run", StoreAccess::kReadOnly);
  EXPECT_EQ(store.candidates().size(), 4U);
  EXPECT_EQ(contents(path_), damaged);
}

class CountingEvaluator : public Evaluator {
 public:
  std::vector<double> evaluate(std::span<const Candidate> candidates) override {
    calls += static_cast<int>(candidates.size());
    return std::vector<double>(candidates.size(), 0.25);
  }
  int calls = 0;
};

TEST_F(StoredCandidates, TheCacheAsksOnlyForWhatItDoesNotKnow) {
  CandidateStore store(path_, "run");
  CountingEvaluator inner;
  CachingEvaluator cache(store, inner);
  std::vector<Candidate> candidates = random_candidates(8);
  const std::vector<double> accuracies = cache.evaluate(candidates);
  EXPECT_EQ(inner.calls, 3);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(accuracies[i], candidates[i].accuracy);
  }
  EXPECT_EQ(accuracies[7], 0.25);
  cache.evaluate(candidates);
  EXPECT_EQ(inner.calls, 3);
  EXPECT_EQ(CandidateStore(path_, "run").candidates().size(), 8U);
}

}  // namespace
}  // namespace patchnas
