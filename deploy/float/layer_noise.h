#pragma once

// How much of a float network is left in its int8 form, layer by layer.
//
//   for (const LayerNoise& layer : layer_noise(floats, quantised, samples)) {
//     use(layer.decibels());
//   }

#include <cstdint>
#include <span>
#include <vector>

#include "arch/base/parallel.h"
#include "arch/float_network.h"
#include "arch/quantized_network.h"

namespace patchnas {

/// Of what a layer writes: sums of squares over all samples and elements.
struct LayerNoise {
  double signal = 0.0;  ///< of the float values
  double noise = 0.0;  ///< of what the int8 values differ from them, earlier layers' noise included

  /// Signal-to-quantisation-noise ratio, 10 log10(signal / noise); infinite without noise.
  [[nodiscard]] double decibels() const;
};

/// One per layer.
/// @param quantised of the same layers
/// @param samples back to back, as for calibrated_ranges() @param before_each of them
/// @throws InputError if the two networks have not the same layers, or if the samples are none, or
/// no whole number.
std::vector<LayerNoise> layer_noise(const FloatNetwork& network, const QuantizedNetwork& quantised,
                                    std::span<const float> samples,
                                    const BeforeEach& before_each = {});

/// Real inputs of one sample, or of several, as the int8 network reads them.
std::vector<std::int8_t> int8_inputs(const QuantizedNetwork& network,
                                     std::span<const float> samples);

}  // namespace patchnas
