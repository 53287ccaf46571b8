#include "deploy/tflite/tflite_weights.h"

#include <cstddef>

namespace patchnas {
namespace {

// [a, c, b, d] from [a, b, c, d].
std::vector<std::int8_t> with_middle_exchanged(const std::vector<std::int8_t>& values,
                                               std::size_t b, std::size_t c, std::size_t d) {
  std::vector<std::int8_t> result(values.size());
  const std::size_t block = b * c * d;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t in_block = i % block;
    const std::size_t row = in_block / (c * d);
    const std::size_t col = in_block / d % c;
    result[i - in_block + (col * b + row) * d + in_block % d] = values[i];
  }
  return result;
}

}  // namespace

std::vector<std::int8_t> turned_weights(const std::vector<std::int8_t>& weights,
                                        const std::vector<int>& shape) {
  return with_middle_exchanged(weights, static_cast<std::size_t>(shape[1]),
                               static_cast<std::size_t>(shape[2]),
                               static_cast<std::size_t>(shape[3]));
}

std::vector<std::int8_t> outputs_first(const std::vector<std::int8_t>& weights,
                                       const std::vector<int>& shape) {
  return with_middle_exchanged(
      weights, static_cast<std::size_t>(shape[1]) * static_cast<std::size_t>(shape[2]),
      static_cast<std::size_t>(shape[3]), 1);
}

std::vector<std::int8_t> outputs_last(const std::vector<std::int8_t>& weights,
                                      const std::vector<int>& shape) {
  return with_middle_exchanged(
      weights, static_cast<std::size_t>(shape[3]),
      static_cast<std::size_t>(shape[1]) * static_cast<std::size_t>(shape[2]), 1);
}

}  // namespace patchnas
