#pragma once

// The reports of networks: what `estimate` prints, and report.json of packages and of runs; and the
// last screen that is made from the latter. docs/reports.md has the keys of all of them.
//
//   const NetworkEstimate estimate(network, schedule, target, latency_model);
//   std::cout << estimate_report(estimate, {});             // {"schema": 1, "macs": 9526464, ...}
//   std::cout << last_screen(read_file(file), file, "runs/vww/export");

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "deploy/prepare/fold.h"
#include "search/config/config.h"
#include "search/engine/evolution.h"
#include "search/report/estimate.h"
#include "search/report/schedule_tradeoff.h"

namespace patchnas {

/// What `estimate` was asked for besides the estimate.
struct EstimateExtras {
  std::string assumption{};  ///< as NetworkFile has it
  FoldedParts folded{};      ///< the same
  std::optional<std::vector<ScheduleChoice>> pareto{};
  std::optional<std::vector<ScheduleChoice>> every_schedule{};
};

/// What `estimate --json` prints.
std::string estimate_report(const NetworkEstimate& estimate, const EstimateExtras& extras);

/// report.json of the package of that name, and what `schedule --json` prints.
/// @param estimate of the network as it is executed, without what was folded
std::string package_report(const NetworkEstimate& estimate, const FoldedParts& folded,
                           const std::string& package);

/// "12 channels, 1 layer; 10.2 % of the MACs, 4.5 % of the weights"
std::string folded_text(const FoldedParts& folded);

/// Shares of correct answers, 0 to 1.
struct Accuracies {
  std::optional<double> validation_search;  ///< with the supernet's weights, if it was searched
  /// With the weights that were exported, in float; none if they were trained on these images.
  std::optional<double> validation_exported;
  double test_float = 0.0;
  double test_int8 = 0.0;  ///< of the integer reference: what the exported file computes
  int test_images = 0;
  bool operator==(const Accuracies&) const = default;
};

/// The schedule was executed inside an arena of this size, with the same logits as layer by layer.
struct ArenaCheck {
  std::int64_t arena_bytes = 0;
  int images = 0;
  bool operator==(const ArenaCheck&) const = default;
};

struct ReportInputs {
  const Config& config;
  const Candidate& candidate;
  const Network& network;  ///< as it is executed
  FoldedParts folded;      ///< what the candidate's architecture has besides
  Accuracies accuracies;
  ArenaCheck arena_check;
  bool finetuned = true;
  std::int64_t tflite_bytes = 0;
  std::optional<EvolutionCounts> counts;  ///< of the search that ended with this candidate
};

/// report.json of a run; the same inputs give the same bytes.
std::string make_report(const ReportInputs& inputs);

/// What was found, how it compares with the limits, where the files are.
/// @param report text of a run's report.json, of this version or of one that had no schema
/// @throws InputError with `source` if it is not one.
std::string last_screen(std::string_view report, const std::string& source,
                        const std::filesystem::path& folder);

}  // namespace patchnas
