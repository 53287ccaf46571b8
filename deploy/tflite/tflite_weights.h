#pragma once

// Weights of a .tflite file in another order. Those that were not taken from it stay empty.

#include <vector>

#include "deploy/tflite/tflite_importer.h"

namespace patchnas {

/// To [A, kw, kh, B] from [A, kh, kw, B]. @param shape of the file's weights
void turn_weights(LayerValues& values, const std::vector<int>& shape);

/// Those of a depthwise convolution of one channel, [1, kh, kw, O], become a convolution's:
/// [O, kh, kw, 1]. @param shape of the file's weights
void put_outputs_first(LayerValues& values, const std::vector<int>& shape);
/// The other way round. @param shape of the depthwise convolution's weights
std::vector<std::int8_t> outputs_last(const std::vector<std::int8_t>& weights,
                                      const std::vector<int>& shape);

}  // namespace patchnas
