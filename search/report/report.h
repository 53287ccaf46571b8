#pragma once

// export/report.json, and the last screen that is made from it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "search/config/config.h"
#include "search/engine/evolution.h"

namespace patchnas {

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
  Accuracies accuracies;
  ArenaCheck arena_check;
  bool finetuned = true;
  std::int64_t tflite_bytes = 0;
  std::optional<EvolutionCounts> counts;  ///< of the search that ended with this candidate
};

/// JSON, indented; the same inputs give the same bytes.
std::string make_report(const ReportInputs& inputs);

/// What was found, how it compares with the limits, where the files are.
/// @param report text of report.json
/// @throws InputError with `source` if it is not one.
std::string last_screen(std::string_view report, const std::string& source,
                        const std::filesystem::path& folder);

}  // namespace patchnas
