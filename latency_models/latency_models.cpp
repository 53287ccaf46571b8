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

LatencyReport latency_report(const Network& network, const PatchSchedule& schedule,
                             const LatencyModel& model) {
  LatencyReport report;
  report.layers.resize(network.layers.size());
  const auto add = [&](int layer, double cost, bool measured) {
    LayerLatency& of_layer = report.layers[static_cast<std::size_t>(layer)];
    of_layer.cost += cost;
    of_layer.predicted += measured ? 0.0 : cost;
  };
  const LatencyOverheads& overheads = model.overheads();
  std::vector<char> in_patches(network.layers.size(), 0);
  for (const Segment& segment : schedule.segments) {
    const std::int64_t patches = std::int64_t{segment.grid.rows} * segment.grid.cols;
    add(segment.first_layer, static_cast<double>(patches) * overheads.per_patch, true);
    for (int layer = segment.first_layer; layer < segment.end_layer; ++layer) {
      in_patches[static_cast<std::size_t>(layer)] = 1;
    }
  }
  for (const OperatorUse& use : operator_uses(network, schedule)) {
    const OperatorCost cost = model.cost(use.key);
    const bool is_patched = in_patches[static_cast<std::size_t>(use.layer)] != 0;
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
