#include "latency_models/operators.h"

#include <map>

#include "arch/tile_geometry.h"

namespace patchnas {
namespace {

OperatorKey key_of(const Network& network, int layer, const Rect& read, const Rect& computed) {
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  const auto shape = [](const Rect& rect, int channels) {
    return TensorShape{rect.rows.size(), rect.cols.size(), channels};
  };
  return {.kind = l.kind,
          .activation = l.activation,
          .kernel_h = l.kernel.height,
          .kernel_w = l.kernel.width,
          .stride_h = l.kernel.stride_h,
          .stride_w = l.kernel.stride_w,
          .groups = l.groups,
          .input = shape(read, network.shape(l.inputs[0]).channels),
          .output = shape(computed, l.output.channels)};
}

}  // namespace

std::int64_t OperatorKey::macs() const {
  const std::int64_t taps = std::int64_t{kernel_h} * kernel_w;
  switch (kind) {
    case LayerKind::kConv2d:
      return output.elements() * taps * (input.channels / groups);
    case LayerKind::kDepthwiseConv2d:
      return output.elements() * taps;
    case LayerKind::kFullyConnected:
      return output.elements() * input.elements();
    default:
      return 0;
  }
}

std::vector<OperatorUse> operator_uses(const Network& network, const PatchSchedule& schedule) {
  std::vector<std::map<OperatorKey, std::int64_t>> counts(network.layers.size());
  for (const Segment& segment : schedule.segments) {
    const SegmentGeometry geometry(network, segment);
    for (int layer = segment.first_layer; layer < segment.end_layer; ++layer) {
      for (int row = 0; row < segment.grid.rows; ++row) {
        for (int col = 0; col < segment.grid.cols; ++col) {
          const LayerTile tile = geometry.tile(layer, row, col);
          ++counts[static_cast<std::size_t>(layer)]
                  [key_of(network, layer, tile.inputs[0], tile.computed)];
        }
      }
    }
  }
  std::vector<OperatorUse> uses;
  for (int layer = 0; layer < network.layer_count(); ++layer) {
    auto& of_layer = counts[static_cast<std::size_t>(layer)];
    if (of_layer.empty()) {  // in no segment: executed once, as a whole
      const TensorId input = network.layers[static_cast<std::size_t>(layer)].inputs[0];
      of_layer[key_of(network, layer, full_rect(network.shape(input)),
                      full_rect(network.shape(layer + 1)))] = 1;
    }
    for (const auto& [key, count] : of_layer) {
      uses.push_back({.layer = layer, .key = key, .count = count});
    }
  }
  return uses;
}

}  // namespace patchnas
