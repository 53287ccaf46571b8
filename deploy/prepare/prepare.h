#pragma once

// Front door of deploy/prepare/: what is done to an int8 network before it is scheduled. The same
// function of the same bytes, with less to compute, to store and to keep.
//
//   const Preparation prepared = prepare(network);
//   run_layer_by_layer(prepared.network, image) == run_layer_by_layer(network, image);

#include "arch/quantized_network.h"
#include "deploy/prepare/fold.h"  // IWYU pragma: export

namespace patchnas {

/// Whether what is the same for every input is left out (fold()).
enum class Folding { kExact, kNone };

struct Preparation {
  QuantizedNetwork network;
  FoldedParts removed;
};

/// Folded, where it branches in the order that needs the least memory (least_memory_order()), and
/// with concatenations that their parts write (with_joined_parts()), unless they need more memory
/// so. Such a network has no .tflite form.
Preparation prepare(const QuantizedNetwork& network, Folding folding = Folding::kExact);

}  // namespace patchnas
