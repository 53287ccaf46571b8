#include "latency_models/latency_models.h"

#include <utility>

namespace patchnas {

LatencyModel::LatencyModel(LatencyTable table)
    : table_(std::move(table)), predictor_(table_.measurements) {}

OperatorCost LatencyModel::cost(const OperatorKey& key) const {
  const Measurement* const measured = table_.find(key);
  return measured != nullptr ? OperatorCost{static_cast<double>(measured->cost), true}
                             : OperatorCost{predictor_.predict(key), false};
}

LatencyReport latency_report(const Network& network, const ExecutionPlan& plan,
                             const LatencyModel& model) {
  LatencyReport report;
  report.layers.resize(network.layers.size());
  const auto add = [&](int layer, double cost, bool measured) {
    LayerLatency& of_layer = report.layers[static_cast<std::size_t>(layer)];
    of_layer.cost += cost;
    of_layer.predicted += measured ? 0.0 : cost;
  };
  const LatencyOverheads& overheads = model.overheads();
  for (const Loop& loop : plan.loops()) {
    if (loop.geometry) {
      const auto tiles = static_cast<double>(loop.grid().rows) * loop.grid().cols;
      add(plan.step(loop.first_step).first_layer, tiles * overheads.per_patch, true);
    }
  }
  for (const OperatorUse& use : operator_uses(network, plan)) {
    const OperatorCost cost = model.cost(use.key);
    const bool is_patched = plan.loop_of(plan.step_of_layer(use.layer)).geometry.has_value();
    const auto count = static_cast<double>(use.count);
    add(use.layer, count * cost.cost, cost.measured);
    add(use.layer, count * (is_patched ? overheads.per_patch_layer : overheads.per_layer), true);
  }
  for (const LayerLatency& layer : report.layers) {
    report.total += layer.cost;
    report.predicted += layer.predicted;
  }
  return report;
}

}  // namespace patchnas
