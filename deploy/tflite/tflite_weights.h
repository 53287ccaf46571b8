#pragma once

// Weights of a .tflite file in another order. Empty ones, as a structure has them, stay empty.

#include <cstdint>
#include <vector>

namespace patchnas {

/// [A, kw, kh, B] from [A, kh, kw, B]. @param shape of the file's weights
std::vector<std::int8_t> turned_weights(const std::vector<std::int8_t>& weights,
                                        const std::vector<int>& shape);

/// Those of a depthwise convolution of one channel, [1, kh, kw, O], as a convolution's:
/// [O, kh, kw, 1]. @param shape of the file's weights
std::vector<std::int8_t> outputs_first(const std::vector<std::int8_t>& weights,
                                       const std::vector<int>& shape);
/// The other way round. @param shape of the depthwise convolution's weights
std::vector<std::int8_t> outputs_last(const std::vector<std::int8_t>& weights,
                                      const std::vector<int>& shape);

}  // namespace patchnas
