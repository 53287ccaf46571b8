#include "latency_models/latency_models.h"

namespace patchnas {

LatencyReport latency_report(const Network& network, const PatchSchedule& schedule,
                             const CostModel& model) {
  LatencyReport report;
  report.layers.resize(network.layers.size());
  for (const OperatorUse& use : operator_uses(network, schedule)) {
    const double cost = static_cast<double>(use.count) * model.cost(use.key);
    report.layers[static_cast<std::size_t>(use.layer)] += cost;
    report.total += cost;
  }
  return report;
}

}  // namespace patchnas
