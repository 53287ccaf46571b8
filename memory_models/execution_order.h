#pragma once

// In which order a graph's layers need the least memory.
//
//   const ExecutionOrder order = least_memory_order(network);
//   const Network better = reordered(network, order.layers);

#include <vector>

#include "arch/network.h"

namespace patchnas {

struct ExecutionOrder {
  std::vector<int> layers;  ///< order.layers[i] is the layer at place i
  /// Whether no order has a smaller peak of simultaneously live bytes, layer by layer.
  bool is_least = true;
};

/// The order of the smallest peak of live bytes, of what is written over and scratch as the
/// execution plan has them, found by a best-first search over the sets of layers that are done: the
/// state of least peak is continued first, and a layer that takes nothing more is done at once.
/// Where that would keep more than kMostOrderLayers layers in such sets (20,000 sets of 100), each
/// next layer is the one that needs least. The order as it is, unless the arena of the other is
/// smaller.
ExecutionOrder least_memory_order(const Network& network);
inline constexpr int kMostOrderLayers = 2'000'000;

}  // namespace patchnas
