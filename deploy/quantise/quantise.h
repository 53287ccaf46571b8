#pragma once

// Post-training quantisation to int8 by TensorFlow Lite's quantisation specification.
//
//   QuantizedNetwork network = quantise(float_network, ranges, {.pixels = PixelNormalisation{}});

#include <optional>
#include <vector>

#include "arch/float_network.h"
#include "arch/quantized_network.h"

namespace patchnas {

/// Asymmetric int8 for values in `range`, which is widened to hold 0; 0 is represented exactly.
TensorQuantisation activation_quantisation(const ValueRange& range);

/// Scale 1 / stddev and zero point mean - 128, which stored_pixel() is exact for.
/// @throws InputError unless mean is in [0, 255] and stddev is positive.
TensorQuantisation pixel_quantisation(const PixelNormalisation& pixels);

/// What the network's user gives and gets.
struct QuantisedEnds {
  /// Of the first input, which is then an image of 8-bit pixels; else its range is measured as that
  /// of any other tensor.
  std::optional<PixelNormalisation> pixels{};
  EndNumbers inputs = EndNumbers::kInt8;
  EndNumbers outputs = EndNumbers::kInt8;
};

/// Folds batch norm and quantises: weights symmetric per output channel (per tensor for fully
/// connected layers), biases int32, constants by a scale of their own. `ranges` has one entry per
/// tensor, measured after the activation function. Those of an image of pixels, of softmax,
/// logistic and tanh are not used, because the specification fixes their scales; tensors between
/// which values are only moved or chosen (concatenations, poolings) have one scale together, for
/// the ranges of all that are computed.
/// @throws InputError naming the layer if a size does not fit, a value or range is not finite, or
/// if it joins scales that are fixed with others: see prepare_for_int8().
QuantizedNetwork quantise(const FloatNetwork& network, const std::vector<ValueRange>& ranges,
                          const QuantisedEnds& ends);

}  // namespace patchnas
