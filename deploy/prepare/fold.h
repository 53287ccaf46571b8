#pragma once

// The same function of the same bytes, with less to compute and to store.
//
//   const FoldedNetwork folded = fold(network);
//   run_layer_by_layer(folded.network, image) == run_layer_by_layer(network, image);

#include <cstdint>
#include <string>
#include <vector>

#include "arch/quantized_network.h"

namespace patchnas {

/// What folding took out of a network.
struct FoldedParts {
  int channels = 0;                 ///< of all tensors
  std::vector<std::string> layers;  ///< their names
  std::int64_t macs = 0;            ///< of one inference, layer by layer
  std::int64_t weights = 0;
  std::int64_t all_macs = 0;  ///< of the network as it was
  std::int64_t all_weights = 0;

  [[nodiscard]] bool empty() const { return channels == 0 && layers.empty(); }
  bool operator==(const FoldedParts&) const = default;
};

struct FoldedNetwork {
  QuantizedNetwork network;
  FoldedParts removed;
};

/// Removes, for every input and whether kernels round once or twice,
/// - channels that hold the same byte everywhere, which become part of the biases of the layers
///   that read them, and channels that are read with weights of 0 alone;
/// - layers whose output is their input, and activation functions that the layer before can apply;
/// - of functions of single values that follow each other all but one, which becomes a table.
///
/// Inputs and outputs of the network, their order and their scales stay as they are. What a channel
/// can hold follows from interval arithmetic over the int8 ranges, layer by layer.
FoldedNetwork fold(const QuantizedNetwork& network);

}  // namespace patchnas
