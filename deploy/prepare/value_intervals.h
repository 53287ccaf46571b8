#pragma once

// What every channel of every tensor can hold, whatever the network's inputs are.

#include <cstdint>
#include <vector>

#include "arch/quantized_network.h"

namespace patchnas {

/// Stored values from `low` to `high`, whether kernels round once or twice. Not every one of them
/// need occur.
struct ValueInterval {
  std::int8_t low = -128;
  std::int8_t high = 127;

  [[nodiscard]] bool is_constant() const { return low == high; }
  bool operator==(const ValueInterval&) const = default;
};

/// By channel.
using ChannelIntervals = std::vector<ValueInterval>;

/// One per tensor.
std::vector<ChannelIntervals> value_intervals(const QuantizedNetwork& network);

/// Taps of a sliding layer, in the order of its weights, that some position of the output has
/// inside the image, and those that some position has outside.
struct TapPlaces {
  std::vector<bool> inside;
  std::vector<bool> outside;
};
TapPlaces tap_places(const Layer& layer, const TensorShape& input);

}  // namespace patchnas
