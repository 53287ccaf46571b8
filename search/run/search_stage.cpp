#include "search/run/search_stage.h"

#include <algorithm>

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "arch/base/error.h"
#include "search/base/console.h"
#include "search/base/files.h"
#include "search/base/sealed_json.h"
#include "search/base/stop_signal.h"
#include "search/base/text.h"
#include "search/engine/candidate_store.h"
#include "search/engine/latency_file.h"

namespace patchnas {
namespace {

/// Makes the real evaluator when the first question comes.
class LazyEvaluator : public Evaluator {
 public:
  explicit LazyEvaluator(const SearchStage::MakeEvaluator& make) : make_(make) {}
  std::vector<double> evaluate(std::span<const Candidate> candidates) override {
    if (!evaluator_) {
      evaluator_ = make_();
    }
    return evaluator_->evaluate(candidates);
  }

 private:
  const SearchStage::MakeEvaluator& make_;
  std::unique_ptr<Evaluator> evaluator_;
};

nlohmann::ordered_json counts_json(const EvolutionCounts& counts) {
  return {{"sampled", counts.sampled},
          {"duplicates", counts.duplicates},
          {"rejected", counts.rejected},
          {"evaluated", counts.evaluated}};
}

}  // namespace

std::string to_json(const SearchResult& result) {
  nlohmann::ordered_json json;
  json["best"] = nlohmann::ordered_json::parse(to_json(result.best));
  json["counts"] = counts_json(result.counts);
  return json.dump(2) + "\n";
}

SearchResult parse_search_result(std::string_view json, const std::string& source) {
  require_shallow_json(json, source);
  try {
    const auto fields = nlohmann::ordered_json::parse(json);
    const auto& counts = fields.at("counts");
    return {.best = parse_candidate(fields.at("best").dump(), source),
            .counts = {.sampled = counts.at("sampled").get<std::int64_t>(),
                       .duplicates = counts.at("duplicates").get<std::int64_t>(),
                       .rejected = counts.at("rejected").get<std::int64_t>(),
                       .evaluated = counts.at("evaluated").get<std::int64_t>()}};
  } catch (const nlohmann::json::exception& error) {
    throw InputError(source + ": not a search result: " + error.what());
  }
}

SearchResult read_search_result(const std::filesystem::path& file) {
  return parse_search_result(read_file(file), file.string());
}

void SearchStage::record_generation(const Evolution& evolution, int generation) {
  nlohmann::ordered_json json{{"generation", generation},
                              {"counts", counts_json(evolution.counts())}};
  double sum = 0.0;
  for (const Candidate& candidate : evolution.population()) {
    json["population"].push_back(nlohmann::ordered_json::parse(to_json(candidate)));
    sum += *candidate.accuracy;
  }
  write_file(run_.generation_file(generation), json.dump(1) + "\n");
  run_.metrics().write(
      to_string(id()), generation,
      {{"best_accuracy", *evolution.best().accuracy},
       {"mean_accuracy", sum / static_cast<double>(evolution.population().size())}});
}

void SearchStage::run() {
  const Config& config = run_.config();
  const std::unique_ptr<LatencyModel> latency = latency_model_for(config.target);
  CandidateFilter filter(config.space, config.target, latency.get());
  CandidateStore store(run_.candidates_file(), run_.identity());
  for (const std::string& warning : store.warnings()) {
    spdlog::warn("{}", warning);
  }
  LazyEvaluator inner(make_evaluator_);
  CachingEvaluator evaluator(store, inner);
  run_.metrics().rewind(to_string(id()), -1);

  const EvolutionSettings& settings = config.search;
  const std::int64_t planned = settings.population + std::int64_t{settings.iterations} *
                                                         (settings.crossover + settings.mutation);
  Progress progress("search", "candidates", static_cast<std::int64_t>(store.candidates().size()),
                    planned);
  Evolution evolution(settings, filter, config.seed);
  std::int64_t evaluated = 0;
  std::vector<Architecture> order;
  while (!evolution.finished()) {
    const int generation = evolution.generation();
    std::vector<double> accuracies;
    for (std::span<const Candidate> rest = evolution.proposals(); !rest.empty();) {
      throw_if_stopped();
      const std::size_t count = std::min(rest.size(), static_cast<std::size_t>(at_a_time_));
      const std::vector<double> answers = evaluator.evaluate(rest.first(count));
      accuracies.insert(accuracies.end(), answers.begin(), answers.end());
      for (const Candidate& candidate : rest.first(count)) {
        order.push_back(candidate.architecture);
      }
      rest = rest.subspan(count);
      evaluated += static_cast<std::int64_t>(count);
      progress.update(evaluated, "generation " + std::to_string(generation));
    }
    evolution.report(accuracies);
    record_generation(evolution, generation);
    spdlog::info("search: generation {}/{}: best {} on validation images, {}", generation,
                 settings.iterations, percent_text(*evolution.best().accuracy),
                 millions_text(evolution.best().costs.macs) + " MACs");
  }
  store.arrange(order);
  write_file(run_.best_candidate_file(),
             to_json(SearchResult{evolution.best(), evolution.counts()}));
}

}  // namespace patchnas
