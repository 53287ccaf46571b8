#include "search/package/untrained_network.h"

#include <cmath>

#include "deploy/quantise/quantise.h"

namespace patchnas {

QuantizedNetwork untrained_network(const Network& network, RandomStream& stream) {
  FloatNetwork untrained{.network = network, .layers = {}};
  std::vector<ValueRange> ranges{{-2.0F, 2.0F}};
  for (int index = 0; index < network.layer_count(); ++index) {
    FloatLayer layer;
    const auto channels = static_cast<std::size_t>(bias_count(network, index));
    layer.weights.resize(static_cast<std::size_t>(weight_count(network, index)));
    const double terms = channels > 0 ? static_cast<double>(layer.weights.size() / channels) : 1.0;
    for (float& weight : layer.weights) {
      weight = static_cast<float>((2.0 * stream.uniform() - 1.0) * std::sqrt(3.0 / terms));
    }
    layer.bias.assign(channels, 0.0F);
    untrained.layers.push_back(std::move(layer));
    const Activation activation = network.layers[static_cast<std::size_t>(index)].activation;
    ranges.push_back(activation == Activation::kNone ? ValueRange{-4.0F, 4.0F}
                                                     : ValueRange{0.0F, 6.0F});
  }
  return quantise(untrained, ranges, {.pixels = PixelNormalisation{}});
}

}  // namespace patchnas
