#pragma once

#include <cstddef>
#include <vector>

#include "arch/base/parallel.h"
#include "supernet/kernels/activation_view.h"

namespace patchnas::kernels {

/// Sums per channel of every thread side by side, far enough apart not to share cache lines.
// Sums of every thread side by side, far enough apart not to share cache lines.
struct ThreadSums {
  explicit ThreadSums(int channel_count)
      : channels(static_cast<std::size_t>(channel_count)),
        values(static_cast<std::size_t>(thread_count()) * stride(), 0.0) {}

  [[nodiscard]] std::size_t stride() const { return 2 * channels + 16; }
  [[nodiscard]] ChannelSums of(int thread) {
    double* begin = values.data() + static_cast<std::size_t>(thread) * stride();
    return {begin, begin + channels};
  }
  /// Added up in the order of the threads.
  [[nodiscard]] std::vector<double> total(std::size_t offset) const {
    std::vector<double> result(channels, 0.0);
    for (std::size_t begin = offset; begin < values.size(); begin += stride()) {
      for (std::size_t c = 0; c < channels; ++c) {
        result[c] += values[begin + c];
      }
    }
    return result;
  }
  [[nodiscard]] std::vector<double> sums() const { return total(0); }
  [[nodiscard]] std::vector<double> products() const { return total(channels); }

  std::size_t channels;
  std::vector<double> values;
};

}  // namespace patchnas::kernels
