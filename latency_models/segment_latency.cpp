#include "latency_models/segment_latency.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

namespace patchnas {
namespace {

std::uint64_t flags_of(const LayerPlace& place) {
  return (place.over_input ? 1u : 0u) | (place.slides ? 2u : 0u);
}

void count(std::vector<std::pair<int, int>>& moved, int extent) {
  const auto same = std::find_if(moved.begin(), moved.end(),
                                 [&](const auto& known) { return known.first == extent; });
  if (same == moved.end()) {
    moved.emplace_back(extent, 1);
  } else {
    ++same->second;
  }
}

}  // namespace

void SegmentLatency::assign(const Network& network) {
  lister_.assign(network);
  whole_.assign(network.layers.size(), std::numeric_limits<double>::quiet_NaN());
  family_of_.clear();
  for (int layer = 0; layer < network.layer_count(); ++layer) {
    const std::array<std::uint64_t, 4> words = words_of(lister_.family(layer));
    std::optional<int> number = family_numbers_.find(words);
    if (!number) {
      number = static_cast<int>(family_numbers_.size());
      family_numbers_.insert(words, *number);
    }
    family_of_.push_back(static_cast<std::uint64_t>(*number));
  }
}

double SegmentLatency::whole(int layer) {
  double& known = whole_[static_cast<std::size_t>(layer)];
  if (std::isnan(known)) {
    known = 0.0;
    if (lister_.runs(layer)) {
      LayerOperators operators;
      lister_.list(layer, operators);
      known = costs_.cost(operators) + model_.overheads().per_layer;
    }
  }
  return known;
}

// Of what key_ says: tiles, as many as there are uses to find, and behind them what is moved.
template <typename Uses>
int SegmentLatency::number(std::size_t tiles, const Uses& uses) {
  key_.push_back(tiles);
  if (const auto known = cut_numbers_.find(key_)) {
    return *known;
  }
  Cut cut{.uses = uses(), .moved = {}};
  for (std::size_t i = tiles; i + 1 < key_.size(); ++i) {
    if (key_[i] > 0) {
      count(cut.moved, static_cast<int>(key_[i]));
    }
  }
  const int number = static_cast<int>(cuts_.size());
  cut_numbers_.insert(key_, number);
  cuts_.push_back(std::move(cut));
  return number;
}

int SegmentLatency::rows(int layer, const SegmentGeometry& geometry) {
  key_.clear();
  lister_.number_tiles(layer, geometry, Axis::kRows, key_);
  const std::size_t tiles = key_.size();
  for (int step = 0; step < geometry.grid().rows; ++step) {
    const Interval kept = geometry.kept_rows(layer + 1, step);
    const bool moves = kept.begin > geometry.span(Axis::kRows, layer, step).window.begin;
    key_.push_back(moves ? static_cast<std::uint64_t>(kept.size()) : 0);
  }
  return number(tiles, [&] { return lister_.uses(layer, geometry, Axis::kRows); });
}

int SegmentLatency::columns(int layer, const SegmentGeometry& geometry, bool is_summed,
                            bool reads_whole) {
  key_.clear();
  lister_.number_tiles(layer, geometry, Axis::kCols, key_, is_summed, reads_whole);
  const std::size_t tiles = key_.size();
  for (int strip = 0; strip < geometry.grid().cols; ++strip) {
    key_.push_back(
        static_cast<std::uint64_t>(geometry.span(Axis::kCols, layer, strip).window.size()));
  }
  return number(tiles,
                [&] { return lister_.uses(layer, geometry, Axis::kCols, is_summed, reads_whole); });
}

int SegmentLatency::number_of_moves(std::span<const int> extents) {
  key_.assign(extents.begin(), extents.end());
  return number(0, [] { return std::vector<AxisUse>(); });
}

int SegmentLatency::kept_rows(std::span<const int> rows) { return number_of_moves(rows); }

int SegmentLatency::held_columns(std::span<const int> cols) { return number_of_moves(cols); }

// Overheads included.
double SegmentLatency::calls(const OperatorFamily& family, const Cut& rows, const Cut& columns) {
  const LayerOperators operators{.family = family, .rows = rows.uses, .cols = columns.uses};
  double calls = 0.0;
  for (const AxisUse& row : rows.uses) {
    for (const AxisUse& col : columns.uses) {
      calls += static_cast<double>(row.count) * col.count;
    }
  }
  return costs_.cost(operators) + calls * model_.overheads().per_patch_layer;
}

double SegmentLatency::layer(int layer, int rows, int columns, LayerPlace place) {
  const std::array<std::uint64_t, 2> key{
      family_of_[static_cast<std::size_t>(layer)] << 2 | flags_of(place), two(rows, columns)};
  if (const auto known = layer_costs_.find(key)) {
    return *known;
  }
  OperatorFamily family = lister_.family(layer);
  family.over_input = place.over_input;
  double cost = calls(family, cuts_[static_cast<std::size_t>(rows)],
                      cuts_[static_cast<std::size_t>(columns)]);
  if (place.slides) {
    cost += moves(family.output_channels, rows, columns);
  }
  layer_costs_.insert(key, cost);
  return cost;
}

double SegmentLatency::sum(int layer, int rows, int columns) {
  const Network& network = lister_.network();
  const Cut& row_cut = cuts_[static_cast<std::size_t>(rows)];
  const Cut& col_cut = cuts_[static_cast<std::size_t>(columns)];
  double cost = costs_.cost(end_of_sum(network, layer));
  double calls = 1.0;
  for (const AxisUse& row : row_cut.uses) {
    for (const AxisUse& col : col_cut.uses) {
      const double times = static_cast<double>(row.count) * col.count;
      cost += times * costs_.cost(part_of_sum(network, layer, row.axis.output, col.axis.output));
      calls += times;
    }
  }
  return cost + calls * model_.overheads().per_patch_layer;
}

double SegmentLatency::moves(int channels, int rows, int columns) {
  const std::array<std::uint64_t, 2> key{static_cast<std::uint64_t>(channels), two(rows, columns)};
  if (const auto known = move_costs_.find(key)) {
    return *known;
  }
  double cost = 0.0;
  for (const auto& [kept, steps] : cuts_[static_cast<std::size_t>(rows)].moved) {
    for (const auto& [held, strips] : cuts_[static_cast<std::size_t>(columns)].moved) {
      cost += static_cast<double>(steps) * strips *
              (costs_.cost(plain_key(KernelFunction::kMove, 1, kept * held, channels)) +
               model_.overheads().per_patch_layer);
    }
  }
  move_costs_.insert(key, cost);
  return cost;
}

}  // namespace patchnas
