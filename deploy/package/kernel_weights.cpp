#include "deploy/package/kernel_weights.h"

namespace patchnas {

KernelWeights kernel_weights(const Layer& layer, const QuantizedLayer& quantised,
                             std::int32_t input_zero_point) {
  const std::size_t channels = quantised.biases.size();
  const std::size_t per_channel = channels == 0 ? 0 : quantised.weights.size() / channels;
  const bool channels_last = layer.kind == LayerKind::kDepthwiseConv2d;
  const bool is_transposed = layer.kind == LayerKind::kTransposeConv;
  const auto zero_point = static_cast<std::uint32_t>(is_transposed ? 0 : input_zero_point);
  KernelWeights result{.weights = quantised.weights, .biases = {}, .multipliers = {}, .shifts = {}};
  for (std::size_t c = 0; c < channels; ++c) {
    const Requantisation& scale = quantised.requantisation[c];
    const bool is_negated = scale.multiplier < 0;
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < per_channel; ++i) {
      std::int8_t& weight = result.weights[channels_last ? i * channels + c : c * per_channel + i];
      if (is_negated) {
        weight = static_cast<std::int8_t>(-weight);
      }
      sum += static_cast<std::uint32_t>(std::int32_t{weight});
    }
    const auto bias = static_cast<std::uint32_t>(quantised.biases[c]);
    result.biases.push_back(
        static_cast<std::int32_t>((is_negated ? 0U - bias : bias) - zero_point * sum));
    result.multipliers.push_back(is_negated ? -scale.multiplier : scale.multiplier);
    result.shifts.push_back(scale.shift);
  }
  return result;
}

}  // namespace patchnas
