#include "search/engine/evolution.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <tuple>

#include "arch/base/error.h"
#include "search/base/text.h"
#include "search/engine/sram_advice.h"

namespace patchnas {
namespace {

/// Strict order without ties, so that the outcome depends on nothing but the candidates.
bool better(const Candidate& a, const Candidate& b) {
  const auto rank = [](const Candidate& c) {
    return std::tuple(-*c.accuracy, c.costs.macs, c.costs.sram_bytes);
  };
  return std::tuple(rank(a), a.architecture) < std::tuple(rank(b), b.architecture);
}

}  // namespace

Evolution::Evolution(const EvolutionSettings& settings, CandidateFilter& filter, std::uint64_t seed)
    : settings_(settings), filter_(filter), seed_(seed) {
  propose_random();
}

template <typename Draw>
bool Evolution::propose(Draw draw) {
  for (int attempt = 0; attempt < settings_.max_attempts; ++attempt) {
    Architecture architecture = draw();
    ++counts_.sampled;
    if (seen_.contains(architecture)) {
      ++counts_.duplicates;
      continue;
    }
    Judgement judgement = filter_.judge(architecture);
    if (judgement.fits) {
      seen_.insert(std::move(architecture));
      proposals_.push_back(std::move(judgement.candidate));
      ++counts_.evaluated;
      return true;
    }
    ++counts_.rejected;
    const Target& target = filter_.target();
    if (!closest_miss_ ||
        overrun(judgement.candidate.costs, target) < overrun(closest_miss_->costs, target)) {
      closest_miss_ = std::move(judgement.candidate);
    }
  }
  return false;
}

Architecture Evolution::mutant_of_any(std::span<const Candidate> parents,
                                      RandomStream& stream) const {
  const Candidate& parent = parents[static_cast<std::size_t>(stream.below(parents.size()))];
  return mutate(filter_.space(), parent.architecture, settings_.mutation_rate, stream);
}

void Evolution::propose_random() {
  RandomStream stream(seed_, "search/generation/0");
  const SearchSpace& space = filter_.space();
  const auto random = [&] { return sample(space, stream); };
  const auto size = static_cast<std::size_t>(settings_.population);
  while (proposals_.size() < size && propose(random)) {
  }
  if (proposals_.empty()) {
    // Tight limits: the feasible part may be too small to hit by chance, but not to grow from its
    // smallest member.
    const auto [smallest_candidate, fits] = filter_.judge(smallest(space));
    if (!fits) {
      const Target& target = filter_.target();
      const Candidate& miss =
          overrun(smallest_candidate.costs, target) < overrun(closest_miss_->costs, target)
              ? smallest_candidate
              : *closest_miss_;
      throw InfeasibleError(
          "nothing in the search space fits: neither its smallest architecture nor any of " +
          counted(counts_.sampled, "random one") + ", under any patch schedule; the closest " +
          compare_with_limits(miss.costs, target, filter_.latency_unit()) +
          sram_advice(lower(space, miss.architecture), miss.costs, target, space.schedules,
                      kConfigSramWays));
    }
    propose([&] { return smallest(space); });
  }
  const auto mutant = [&] { return mutant_of_any(proposals_, stream); };
  while (proposals_.size() < size && propose(mutant)) {
  }
}

void Evolution::propose_children() {
  RandomStream stream(seed_, "search/generation/" + std::to_string(generation_));
  const SearchSpace& space = filter_.space();
  const std::span<const Candidate> parents(
      population_.data(),
      std::min(population_.size(), static_cast<std::size_t>(settings_.parents)));
  const auto mutant = [&] { return mutant_of_any(parents, stream); };
  const auto child = [&] {
    const Candidate& a = parents[static_cast<std::size_t>(stream.below(parents.size()))];
    const Candidate& b = parents[static_cast<std::size_t>(stream.below(parents.size()))];
    return crossover(space, a.architecture, b.architecture, stream);
  };
  const auto random = [&] { return sample(space, stream); };
  const auto crossovers = static_cast<std::size_t>(settings_.crossover);
  const std::size_t children = crossovers + static_cast<std::size_t>(settings_.mutation);
  while (proposals_.size() < crossovers && propose(child)) {
  }
  // Where the parents have grown too alike for new crossovers, mutants take their places, and then
  // strangers; only an exhausted space leaves places empty.
  while (proposals_.size() < children && propose(mutant)) {
  }
  while (proposals_.size() < children && propose(random)) {
  }
}

void Evolution::report(std::span<const double> accuracies) {
  if (accuracies.size() != proposals_.size()) {
    throw std::logic_error("Evolution::report: " + std::to_string(accuracies.size()) +
                           " accuracies for " + std::to_string(proposals_.size()) + " proposals");
  }
  population_.resize(std::min(population_.size(), static_cast<std::size_t>(settings_.parents)));
  for (std::size_t i = 0; i < proposals_.size(); ++i) {
    proposals_[i].accuracy = accuracies[i];
    population_.push_back(std::move(proposals_[i]));
  }
  proposals_.clear();
  std::sort(population_.begin(), population_.end(), better);
  ++generation_;
  if (!finished()) {
    propose_children();
  }
}

const Candidate& Evolution::best() const {
  if (population_.empty()) {
    throw std::logic_error("Evolution::best: nothing has been reported yet");
  }
  return population_.front();
}

}  // namespace patchnas
