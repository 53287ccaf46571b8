#pragma once

// Latency of segments that cache rows, layer by layer: what weighs the shortest path over a
// network's cuts.
//
//   SegmentLatency latency(model);
//   SegmentSweep sweep({}, InputMode::kStreamed, &latency);
//
// The numbers are those of latency_report(), but for rounding. Costs are kept from one network to
// the next: candidates' layers are cut in few ways. One thread at a time.

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "arch/segment_costs.h"
#include "latency_models/latency_models.h"
#include "latency_models/operator_costs.h"
#include "latency_models/word_map.h"

namespace patchnas {

class SegmentLatency : public SegmentCosts {
 public:
  /// `model` must outlive it.
  explicit SegmentLatency(const LatencyModel& model) : model_(model), costs_(model) {}

  void assign(const Network& network) override;
  double whole(int layer) override;
  int rows(int layer, const SegmentGeometry& geometry) override;
  int columns(int layer, const SegmentGeometry& geometry, bool is_summed,
              bool reads_whole) override;
  int kept_rows(std::span<const int> rows) override;
  int held_columns(std::span<const int> cols) override;
  double layer(int layer, int rows, int columns, LayerPlace place) override;
  double sum(int layer, int rows, int columns) override;
  double moves(int channels, int rows, int columns) override;
  [[nodiscard]] double step() const override { return model_.overheads().per_patch; }

 private:
  // Along one axis: the operators' extents, and the extents of what is moved, each with how often.
  struct Cut {
    std::vector<AxisUse> uses;
    std::vector<std::pair<int, int>> moved;
  };

  template <typename Uses>
  int number(std::size_t tiles, const Uses& uses);
  int number_of_moves(std::span<const int> extents);
  double calls(const OperatorFamily& family, const Cut& rows, const Cut& columns);

  const LatencyModel& model_;
  OperatorLister lister_;
  OperatorCosts costs_;
  std::vector<double> whole_;             // by layer; NaN until asked for
  std::vector<std::uint64_t> family_of_;  // by layer, its number
  WordMap<int> family_numbers_;
  std::vector<Cut> cuts_;  // by number
  WordMap<int> cut_numbers_;
  WordMap<double> layer_costs_;  // by family and cuts
  WordMap<double> move_costs_;   // by channels and cuts
  std::vector<std::uint64_t> key_;
};

}  // namespace patchnas
