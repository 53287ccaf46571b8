#pragma once

// Front door of latency_models/: what executing a network under a schedule takes, from a table of
// measured operators. What was not measured is predicted, and marked.
//
//   const LatencyModel model(LatencyTable::parse(text, "cortex-m4.txt"));
//   const LatencyReport report = latency_report(network, plan, model);
//   std::cout << report.total << ' ' << model.unit();

#include <string_view>
#include <vector>

#include "latency_models/latency_predictor.h"  // IWYU pragma: export
#include "latency_models/latency_table.h"      // IWYU pragma: export
#include "latency_models/operators.h"          // IWYU pragma: export

namespace patchnas {

/// Of one execution, in the model's unit.
struct OperatorCost {
  double cost = 0.0;
  bool measured = false;
};

class LatencyModel {
 public:
  /// @throws InputError if the table has no operators.
  explicit LatencyModel(LatencyTable table);

  [[nodiscard]] OperatorCost cost(const OperatorKey& key) const;
  [[nodiscard]] std::string_view unit() const { return table_.origin.unit; }
  [[nodiscard]] const LatencyTable& table() const { return table_; }
  [[nodiscard]] const LatencyOverheads& overheads() const { return table_.overheads; }
  [[nodiscard]] const LatencyPredictor& predictor() const { return predictor_; }

 private:
  LatencyTable table_;
  LatencyPredictor predictor_;
};

struct LayerLatency {
  double cost = 0.0;       ///< all its tiles and what is executed around them
  double predicted = 0.0;  ///< the part of it that was not measured
};

struct LatencyReport {
  double total = 0.0;      ///< of one inference
  double predicted = 0.0;  ///< the part of it that was not measured
  std::vector<LayerLatency> layers;
};

/// The overhead of a patch is in its first layer.
/// @param plan of the network
LatencyReport latency_report(const Network& network, const ExecutionPlan& plan,
                             const LatencyModel& model);

}  // namespace patchnas
