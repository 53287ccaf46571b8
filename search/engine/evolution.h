#pragma once

// Evolutionary search as published (MCUNetV2, appendix; Once-for-All): a random first generation,
// then in each iteration the best are kept as parents and as many children again come from
// crossover and mutation.
//
//   Evolution evolution(settings, filter, seed);
//   while (!evolution.finished()) {
//     evolution.report(evaluator.evaluate(evolution.proposals()));
//   }
//   use(evolution.best());
//
// It holds no files: an interrupted search is played again from its seed with the accuracies
// already known.

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "arch/base/random.h"
#include "search/engine/candidate.h"
#include "search/engine/candidate_filter.h"
#include "search/engine/evolution_settings.h"

namespace patchnas {

/// What the search saw; counted the same way however often it was interrupted.
struct EvolutionCounts {
  std::int64_t sampled = 0;     ///< architectures drawn
  std::int64_t duplicates = 0;  ///< drawn again within a generation, or known already
  std::int64_t rejected = 0;    ///< no schedule meets the limits; never evaluated
  std::int64_t evaluated = 0;   ///< proposed for evaluation
  bool operator==(const EvolutionCounts&) const = default;
};

class Evolution {
 public:
  /// `filter` must outlive it.
  /// @throws InfeasibleError with the closest miss if neither the smallest architecture nor any of
  /// max_attempts random ones has a schedule within the limits.
  Evolution(const EvolutionSettings& settings, CandidateFilter& filter, std::uint64_t seed);

  [[nodiscard]] bool finished() const { return generation_ > settings_.iterations; }
  /// 0 for the random first generation.
  [[nodiscard]] int generation() const { return generation_; }
  /// New candidates of this generation, without accuracies, none seen in an earlier one; may be
  /// empty when a small space is exhausted.
  [[nodiscard]] std::span<const Candidate> proposals() const { return proposals_; }
  /// Accuracies of proposals(), in their order; prepares the next generation.
  void report(std::span<const double> accuracies);

  /// The generation reported last, best first: by accuracy, then fewer MACs, then less SRAM, then
  /// architecture.
  [[nodiscard]] const std::vector<Candidate>& population() const { return population_; }
  /// @throws std::logic_error before the first report.
  [[nodiscard]] const Candidate& best() const;
  [[nodiscard]] const EvolutionCounts& counts() const { return counts_; }

 private:
  void propose_random();
  void propose_children();
  /// Adds a proposal drawn by `draw` unless the attempts run out.
  template <typename Draw>
  bool propose(Draw draw);
  [[nodiscard]] Architecture mutant_of_any(std::span<const Candidate> parents,
                                           RandomStream& stream) const;

  EvolutionSettings settings_;
  CandidateFilter& filter_;
  std::uint64_t seed_;
  int generation_ = 0;
  std::vector<Candidate> proposals_;
  std::vector<Candidate> population_;
  std::set<Architecture> seen_;  ///< proposed in this or an earlier generation
  std::optional<Candidate> closest_miss_;
  EvolutionCounts counts_;
};

}  // namespace patchnas
