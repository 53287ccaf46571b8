#pragma once

// The evolutionary search as a stage: files around Evolution. After an interruption it is played
// again from the seed; candidates evaluated before are answered from search/candidates.jsonl.

#include <functional>
#include <memory>

#include "search/engine/candidate_filter.h"
#include "search/engine/evaluator.h"
#include "search/engine/evolution.h"
#include "search/run/stage.h"

namespace patchnas {

/// What the search counted, and its winner.
struct SearchResult {
  Candidate best;
  EvolutionCounts counts;
  bool operator==(const SearchResult&) const = default;
};

std::string to_json(const SearchResult& result);
/// @throws InputError with `source`.
SearchResult parse_search_result(std::string_view json, const std::string& source);
/// Of best/candidate.json. @throws InputError
SearchResult read_search_result(const std::filesystem::path& file);

class SearchStage : public Stage {
 public:
  /// Called at the first candidate that is not in the run directory: an evaluator may be expensive
  /// to make.
  using MakeEvaluator = std::function<std::unique_ptr<Evaluator>()>;

  /// @param at_a_time how many candidates the evaluator is asked for before their accuracies are
  /// stored: what a kill costs
  SearchStage(RunDirectory& run, MakeEvaluator make_evaluator, int at_a_time = 1)
      : run_(run), make_evaluator_(std::move(make_evaluator)), at_a_time_(at_a_time) {}

  [[nodiscard]] StageId id() const override { return StageId::kSearch; }
  /// Writes a population per generation and best/candidate.json.
  /// @throws InfeasibleError.
  void run() override;

 private:
  void record_generation(const Evolution& evolution, int generation);

  RunDirectory& run_;
  MakeEvaluator make_evaluator_;
  int at_a_time_;
};

}  // namespace patchnas
