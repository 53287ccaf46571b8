#pragma once

#include <string>
#include <vector>

#include "arch/quantized_network.h"

namespace patchnas::testing {

/// What is read back from the .tflite file of a network: a file knows names, but not what part a
/// layer played in an architecture.
inline QuantizedNetwork as_imported(QuantizedNetwork network) {
  std::vector<std::string> names;
  for (int layer = 0; layer < network.network.layer_count(); ++layer) {
    names.push_back(network.network.layer_name(layer));
  }
  network.network.names = names;
  for (Layer& layer : network.network.layers) {
    layer.role = LayerRole::kImported;
    layer.stage = -1;
    layer.block = -1;
  }
  return network;
}

}  // namespace patchnas::testing
