#include "memory_models/liveness.h"

#include <algorithm>

namespace patchnas {

std::vector<SegmentGeometry> segment_geometries(const Network& network,
                                                const PatchSchedule& schedule) {
  std::vector<SegmentGeometry> geometries;
  geometries.reserve(schedule.segments.size());
  for (const Segment& segment : schedule.segments) {
    geometries.emplace_back(network, segment);
  }
  return geometries;
}

Liveness::Liveness(const Network& network, const PatchSchedule& schedule, InputMode input)
    : network_(network),
      input_(input),
      geometries_(segment_geometries(network, schedule)),
      last_reader_(last_readers(network)) {}

const SegmentGeometry* Liveness::segment_of(int layer) const {
  for (const SegmentGeometry& geometry : geometries_) {
    if (layer >= geometry.segment().first_layer && layer < geometry.segment().end_layer) {
      return &geometry;
    }
  }
  return nullptr;
}

const SegmentGeometry* Liveness::windowed_in(TensorId tensor) const {
  const int last = last_reader_[static_cast<std::size_t>(tensor)];
  if (tensor == kImage) {
    const SegmentGeometry* const first = segment_of(0);
    const bool only_tiles_read_it = first != nullptr && last < first->segment().end_layer;
    return input_ == InputMode::kStreamed && only_tiles_read_it ? first : nullptr;
  }
  const SegmentGeometry* const producer = segment_of(tensor - 1);
  return producer != nullptr && !producer->materialised(tensor) ? producer : nullptr;
}

std::int64_t Liveness::tensor_bytes(TensorId tensor) const {
  const SegmentGeometry* const segment = windowed_in(tensor);
  const TensorShape& shape = network_.shape(tensor);
  return (segment != nullptr ? segment->largest_window_pixels(tensor) : shape.pixels()) *
         shape.channels;
}

ArenaBuffer Liveness::lifetime(TensorId tensor) const {
  int first = std::max(0, tensor - 1);
  int last =
      std::clamp(last_reader_[static_cast<std::size_t>(tensor)], first, network_.layer_count() - 1);
  if (windowed_in(tensor) == nullptr) {
    if (const SegmentGeometry* const producer =
            tensor == kImage ? nullptr : segment_of(tensor - 1)) {
      first = producer->segment().first_layer;
    }
    if (const SegmentGeometry* const reader = segment_of(last)) {
      last = reader->segment().end_layer - 1;
    }
  }
  return {.size_bytes = tensor_bytes(tensor), .first_layer = first, .last_layer = last};
}

bool Liveness::windows_agree(int layer, TensorId a, TensorId b) const {
  const SegmentGeometry* const segment = segment_of(layer);
  if (segment == nullptr) {
    return true;
  }
  const auto agree = [&](Axis axis, int count) {
    for (int i = 0; i < count; ++i) {
      if (segment->span(axis, a - 1, i).window != segment->span(axis, b - 1, i).window) {
        return false;
      }
    }
    return true;
  };
  return agree(Axis::kRows, segment->grid().rows) && agree(Axis::kCols, segment->grid().cols);
}

int Liveness::in_place_input(int layer) const {
  const Layer& l = network_.layers[static_cast<std::size_t>(layer)];
  const TensorId output = layer + 1;
  const SegmentGeometry* const segment = segment_of(layer);
  const bool kernel_allows = l.kind == LayerKind::kDepthwiseConv2d || l.kind == LayerKind::kAdd;
  if (!kernel_allows || windowed_in(output) != segment) {
    return -1;  // a tile's window cannot grow into the whole tensor
  }
  for (int j = 0; j < l.input_count(); ++j) {
    const TensorId input = l.inputs[static_cast<std::size_t>(j)];
    const bool dies_here = input != kImage &&
                           last_reader_[static_cast<std::size_t>(input)] == layer &&
                           windowed_in(input) == segment;
    if (dies_here &&
        (l.kind == LayerKind::kDepthwiseConv2d || windows_agree(layer, input, output))) {
      return j;
    }
  }
  return -1;
}

}  // namespace patchnas
