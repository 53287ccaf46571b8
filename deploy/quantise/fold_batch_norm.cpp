#include "deploy/quantise/fold_batch_norm.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "arch/base/error.h"

namespace patchnas {
namespace {

void require(bool condition, const Network& network, int layer, const char* what) {
  if (!condition) {
    throw InputError("layer " + std::to_string(layer) + " (" + network.layer_name(layer) +
                     "): " + what);
  }
}

void check_sizes(const Network& network, int layer, const FloatLayer& parameters) {
  const auto outputs = static_cast<std::size_t>(bias_count(network, layer));
  require(static_cast<std::int64_t>(parameters.weights.size()) == weight_count(network, layer),
          network, layer, "the number of weights does not fit its shape");
  require(parameters.bias.empty() || parameters.bias.size() == outputs, network, layer,
          "needs one bias per output channel, or none");
  if (const auto& norm = parameters.batch_norm) {
    require(norm->gamma.size() == outputs && norm->beta.size() == outputs &&
                norm->mean.size() == outputs && norm->variance.size() == outputs,
            network, layer, "needs batch norm values for every output channel");
  }
  const Layer& l = network.layers[static_cast<std::size_t>(layer)];
  require(l.kind != LayerKind::kLookup || l.function != ValueFunction::kTable, network, layer,
          "a table is of int8 values");
  if (has_constant_operand(l) || l.has_constant_map) {
    const std::int64_t count = l.has_constant_map ? l.output.elements() : l.output.channels;
    require(static_cast<std::int64_t>(parameters.constants.size()) == count, network, layer,
            "needs one constant per channel, or per element where it has a map of them");
  }
}

bool is_finite(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(),
                     [](float value) { return std::isfinite(value); });
}

void fold(FloatLayer& parameters, std::size_t channels, bool channels_last) {
  const BatchNorm& norm = *parameters.batch_norm;
  const std::size_t per_channel = parameters.weights.size() / channels;
  for (std::size_t c = 0; c < channels; ++c) {
    const double factor = norm.gamma[c] / std::sqrt(norm.variance[c] + norm.epsilon);
    for (std::size_t i = 0; i < per_channel; ++i) {
      float& weight = parameters.weights[channels_last ? i * channels + c : c * per_channel + i];
      weight = static_cast<float>(weight * factor);
    }
    parameters.bias[c] = static_cast<float>(
        (double{parameters.bias[c]} - double{norm.mean[c]}) * factor + double{norm.beta[c]});
  }
  parameters.batch_norm.reset();
}

}  // namespace

void check_values(const FloatNetwork& network) {
  if (network.layers.size() != network.network.layers.size()) {
    throw InputError("a float network needs one entry per layer");
  }
  for (int index = 0; index < network.network.layer_count(); ++index) {
    check_sizes(network.network, index, network.layers[static_cast<std::size_t>(index)]);
  }
}

FloatNetwork fold_batch_norm(FloatNetwork network) {
  check_values(network);
  for (int index = 0; index < network.network.layer_count(); ++index) {
    const Layer& layer = network.network.layers[static_cast<std::size_t>(index)];
    FloatLayer& parameters = network.layers[static_cast<std::size_t>(index)];
    require(is_finite(parameters.constants) && !std::isnan(parameters.fill) &&
                std::isfinite(parameters.leaky_slope),
            network.network, index, "a constant is not finite");
    if (!layer.has_weights()) {
      continue;
    }
    const auto channels = static_cast<std::size_t>(layer.output.channels);
    if (parameters.bias.empty()) {
      parameters.bias.assign(channels, 0.0F);
    }
    if (parameters.batch_norm) {
      fold(parameters, channels, layer.kind == LayerKind::kDepthwiseConv2d);
    }
    require(is_finite(parameters.weights) && is_finite(parameters.bias), network.network, index,
            "a weight or bias is not finite once batch norm is folded");
  }
  return network;
}

}  // namespace patchnas
