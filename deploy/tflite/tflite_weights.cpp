#include "deploy/tflite/tflite_weights.h"

#include <cstddef>

namespace patchnas {
namespace {

// [a, c, b, d] from [a, b, c, d].
template <typename T>
std::vector<T> with_middle_exchanged(const std::vector<T>& values, std::size_t b, std::size_t c,
                                     std::size_t d) {
  std::vector<T> result(values.size());
  const std::size_t block = b * c * d;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t in_block = i % block;
    const std::size_t row = in_block / (c * d);
    const std::size_t col = in_block / d % c;
    result[i - in_block + (col * b + row) * d + in_block % d] = values[i];
  }
  return result;
}

void exchange_middle(LayerValues& values, std::size_t b, std::size_t c, std::size_t d) {
  values.int8.weights = with_middle_exchanged(values.int8.weights, b, c, d);
  values.real.weights = with_middle_exchanged(values.real.weights, b, c, d);
}

}  // namespace

void turn_weights(LayerValues& values, const std::vector<int>& shape) {
  exchange_middle(values, static_cast<std::size_t>(shape[1]), static_cast<std::size_t>(shape[2]),
                  static_cast<std::size_t>(shape[3]));
}

void put_outputs_first(LayerValues& values, const std::vector<int>& shape) {
  exchange_middle(values, static_cast<std::size_t>(shape[1]) * static_cast<std::size_t>(shape[2]),
                  static_cast<std::size_t>(shape[3]), 1);
}

std::vector<std::int8_t> outputs_last(const std::vector<std::int8_t>& weights,
                                      const std::vector<int>& shape) {
  return with_middle_exchanged(
      weights, static_cast<std::size_t>(shape[3]),
      static_cast<std::size_t>(shape[1]) * static_cast<std::size_t>(shape[2]), 1);
}

}  // namespace patchnas
