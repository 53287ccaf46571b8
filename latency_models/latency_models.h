#pragma once

// Front door of latency_models/: what executing a network under a schedule costs.
//
//   const MacCost model;
//   const LatencyReport report = latency_report(network, schedule, model);
//   std::cout << report.total << ' ' << model.unit();

#include <string_view>
#include <vector>

#include "latency_models/operators.h"  // IWYU pragma: export

namespace patchnas {

/// Cost of single operators; the search ranks schedules by their sum and knows nothing else about
/// it.
class CostModel {
 public:
  virtual ~CostModel() = default;
  /// Of one execution, in unit(); never negative.
  [[nodiscard]] virtual double cost(const OperatorKey& key) const = 0;
  [[nodiscard]] virtual std::string_view unit() const = 0;
  /// Whether a network costs its multiply-accumulates, which need not be summed operator by
  /// operator.
  [[nodiscard]] virtual bool counts_macs() const { return false; }
};

/// Multiply-accumulates: the measure where nothing was measured on a target.
class MacCost : public CostModel {
 public:
  [[nodiscard]] double cost(const OperatorKey& key) const override {
    return static_cast<double>(key.macs());
  }
  [[nodiscard]] std::string_view unit() const override { return "MACs"; }
  [[nodiscard]] bool counts_macs() const override { return true; }
};

struct LatencyReport {
  double total = 0.0;
  std::vector<double> layers;  ///< of each layer, all its tiles together
};

LatencyReport latency_report(const Network& network, const PatchSchedule& schedule,
                             const CostModel& model);

}  // namespace patchnas
