#pragma once

// Post-training quantisation to int8 by TensorFlow Lite's quantisation specification.
//
//   QuantizedNetwork network = quantise(float_network, ranges, PixelNormalisation{});

#include <vector>

#include "arch/float_network.h"
#include "arch/quantized_network.h"

namespace patchnas {

/// Asymmetric int8 for values in `range`, which is widened to hold 0; 0 is represented exactly.
TensorQuantisation activation_quantisation(const ValueRange& range);

/// Scale 1 / stddev and zero point mean - 128, which stored_pixel() is exact for.
/// @throws InputError unless mean is in [0, 255] and stddev is positive.
TensorQuantisation pixel_quantisation(const PixelNormalisation& pixels);

/// Folds batch norm and quantises: weights symmetric per output channel (per tensor for fully
/// connected layers), biases int32. `ranges` has one entry per tensor, measured after the
/// activation function; those of the image, of poolings and of softmax are not used, because the
/// specification fixes their scales.
/// @throws InputError naming the layer if a size does not fit or a range is not finite.
QuantizedNetwork quantise(const FloatNetwork& network, const std::vector<ValueRange>& ranges,
                          const PixelNormalisation& pixels);

}  // namespace patchnas
