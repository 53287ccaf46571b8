#include "latency_models/schedule_latency.h"

#include <array>
#include <cmath>
#include <limits>

namespace patchnas {
namespace {

double tile_count(const TileGrid& grid) { return static_cast<double>(grid.rows) * grid.cols; }

}  // namespace

std::uint32_t ScheduleLatency::number_taps(int layer) {
  key_.clear();
  for (const Axis axis : {Axis::kRows, Axis::kCols}) {
    const AxisTaps& window = lister_.taps().taps(axis, layer);
    key_.insert(key_.end(), {two(window.kernel, window.stride), two(window.pad, window.input),
                             two(0, window.output)});
  }
  if (const auto known = taps_.find(key_)) {
    return *known;
  }
  const auto number = static_cast<std::uint32_t>(taps_.size());
  taps_.insert(key_, number);
  arrangement_counts_.push_back(0);
  return number;
}

std::uint32_t ScheduleLatency::number_kind(int layer, const OperatorFamily& family,
                                           std::uint32_t taps) {
  // Of a dilated kernel taps alone tell the span.
  const std::array<std::uint64_t, 4> words = words_of(family);
  key_.assign(words.begin(), words.end());
  key_.push_back(taps);
  if (const auto known = kind_numbers_.find(key_)) {
    return *known;
  }
  const auto number = static_cast<std::uint32_t>(kinds_.size());
  kind_numbers_.insert(key_, number);
  lister_.list(layer, operators_);
  operators_.family = family;
  kinds_.push_back({.taps = taps, .whole = operator_costs_.cost(operators_), .tiled = {}});
  return number;
}

// Of the tiles of a layer in geometry_.
std::uint32_t ScheduleLatency::number_arrangement(int layer, std::uint32_t taps) {
  const bool axes_agree = geometry_.axes_agree();
  key_.assign(1, two(static_cast<int>(taps), axes_agree ? 0 : geometry_.grid().rows));
  lister_.number_tiles(layer, geometry_, Axis::kCols, key_);
  if (!axes_agree) {
    lister_.number_tiles(layer, geometry_, Axis::kRows, key_);
  }
  if (const auto known = arrangements_.find(key_)) {
    return *known;
  }
  const std::uint32_t number = arrangement_counts_[taps]++;
  arrangements_.insert(key_, number);
  return number;
}

// Of a layer in geometry_, overhead included.
double ScheduleLatency::cost_of_tiles(int layer) {
  const bool over_input = lister_.lies_over_input(layer, &geometry_);
  Kind& kind = kinds_[kinds_of_[static_cast<std::size_t>(layer)][over_input ? 1 : 0]];
  const std::uint32_t arrangement = number_arrangement(layer, kind.taps);
  if (arrangement >= kind.tiled.size()) {
    kind.tiled.resize(arrangement_counts_[kind.taps], std::numeric_limits<double>::quiet_NaN());
  }
  double& known = kind.tiled[arrangement];
  if (std::isnan(known)) {
    known = 0.0;
    if (geometry_.computed_pixels(layer) > 0) {
      lister_.list(layer, geometry_, operators_);
      known = operator_costs_.cost(operators_) +
              model_.overheads().per_patch_layer * tile_count(geometry_.grid());
    }
  }
  return known;
}

void ScheduleLatency::assign(const Network& network) {
  lister_.assign(network);
  has_geometry_ = false;
  const auto layers = static_cast<std::size_t>(network.layer_count());
  kinds_of_.resize(layers);
  up_to_layer_.assign(layers + 1, 0.0);
  from_layer_.assign(layers + 1, 0.0);
  for (std::size_t i = layers; i-- > 0;) {
    const int layer = static_cast<int>(i);
    if (network.layers[i].kind == LayerKind::kInput) {
      from_layer_[i] = from_layer_[i + 1];
      continue;
    }
    const std::uint32_t taps = number_taps(layer);
    OperatorFamily family = lister_.family(layer);
    kinds_of_[i].fill(number_kind(layer, family, taps));
    if (family.kernel == KernelFunction::kDepthwise) {
      family.over_input = true;
      kinds_of_[i][1] = number_kind(layer, family, taps);
    }
    const std::uint32_t kind = kinds_of_[i][lister_.lies_over_input(layer, nullptr) ? 1 : 0];
    from_layer_[i] = from_layer_[i + 1] + kinds_[kind].whole + model_.overheads().per_layer;
  }
}

double ScheduleLatency::total(TileGrid grid, int split_layer) {
  if (split_layer == 0 || grid == TileGrid{}) {
    return from_layer_[0];
  }
  int changed = 0;
  if (has_geometry_ && geometry_.grid() == grid) {
    changed = geometry_.move_end(lister_.taps(), split_layer);
  } else {
    geometry_.assign(lister_.taps(), {.first_layer = 0, .end_layer = split_layer, .grid = grid});
    has_geometry_ = true;
  }
  for (int layer = changed; layer < split_layer; ++layer) {
    const auto i = static_cast<std::size_t>(layer);
    up_to_layer_[i + 1] = up_to_layer_[i] + cost_of_tiles(layer);
  }
  const auto split = static_cast<std::size_t>(split_layer);
  return up_to_layer_[split] + from_layer_[split] + model_.overheads().per_patch * tile_count(grid);
}

}  // namespace patchnas
