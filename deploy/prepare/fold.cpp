#include "deploy/prepare/fold.h"

#include <utility>

#include "deploy/prepare/fold_channels.h"
#include "deploy/prepare/fold_layers.h"

namespace patchnas {
namespace {

std::int64_t weights_of(const Network& network) {
  std::int64_t total = 0;
  for (int i = 0; i < network.layer_count(); ++i) {
    total += weight_count(network, i);
  }
  return total;
}

int channels_of(const Network& network) {
  int total = 0;
  for (const Layer& layer : network.layers) {
    total += layer.output.channels;
  }
  return total;
}

// What goes may show more that can: as often as anything did.
QuantizedNetwork folded(QuantizedNetwork network, std::vector<std::string>& removed,
                        int& channels) {
  for (bool goes_on = true; goes_on;) {
    ShorterNetwork shorter = without_layers(network, value_intervals(network));
    const std::vector<ChannelIntervals> intervals = value_intervals(shorter.network);
    network =
        without_channels(shorter.network, intervals, kept_channels(shorter.network, intervals));
    const int fewer = channels_of(shorter.network.network) - channels_of(network.network);
    goes_on = fewer > 0 || !shorter.removed.empty();
    channels += fewer;
    removed.insert(removed.end(), shorter.removed.begin(), shorter.removed.end());
  }
  return network;
}

}  // namespace

FoldedNetwork fold(const QuantizedNetwork& network) {
  FoldedNetwork result;
  FoldedParts& removed = result.removed;
  result.network = folded(network, removed.layers, removed.channels);
  removed.macs = network_macs(network.network) - network_macs(result.network.network);
  removed.weights = weights_of(network.network) - weights_of(result.network.network);
  removed.all_macs = network_macs(network.network);
  removed.all_weights = weights_of(network.network);
  return result;
}

}  // namespace patchnas
