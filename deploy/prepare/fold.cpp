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

}  // namespace

FoldedNetwork fold(const QuantizedNetwork& network) {
  ShorterNetwork shorter = without_layers(network, value_intervals(network));
  const std::vector<ChannelIntervals> intervals = value_intervals(shorter.network);
  FoldedNetwork result{.network = without_channels(shorter.network, intervals,
                                                   kept_channels(shorter.network, intervals)),
                       .removed = {}};
  const Network& folded = result.network.network;
  result.removed = {.channels = channels_of(shorter.network.network) - channels_of(folded),
                    .layers = std::move(shorter.removed),
                    .macs = network_macs(network.network) - network_macs(folded),
                    .weights = weights_of(network.network) - weights_of(folded),
                    .all_macs = network_macs(network.network),
                    .all_weights = weights_of(network.network)};
  return result;
}

}  // namespace patchnas
