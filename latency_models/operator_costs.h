#pragma once

// A latency model's costs, kept once they were asked for.

#include <array>
#include <cstdint>

#include "latency_models/latency_models.h"
#include "latency_models/word_map.h"

namespace patchnas {

/// Two numbers in a word of a key.
constexpr std::uint64_t two(int high, int low) {
  return static_cast<std::uint64_t>(high) << 32 | static_cast<std::uint32_t>(low);
}

/// What of a family tells one from another, in four words.
constexpr std::array<std::uint64_t, 4> words_of(const OperatorFamily& family) {
  return {two(static_cast<int>(family.kernel), family.over_input ? 1 : 0),
          two(family.kernel_h, family.kernel_w), two(family.stride_h, family.stride_w),
          two(family.input_channels, family.output_channels)};
}

class OperatorCosts {
 public:
  /// `model` must outlive it.
  explicit OperatorCosts(const LatencyModel& model) : model_(model) {}

  double cost(const OperatorKey& key) {
    const auto [form, kernel, stride, channels] = words_of(key.family);
    const std::array<std::uint64_t, 7> words{form,
                                             kernel,
                                             stride,
                                             channels,
                                             two(key.rows.output, key.rows.input),
                                             two(key.cols.output, key.cols.input),
                                             two(key.rows.pad, key.cols.pad)};
    if (const auto known = costs_.find(words)) {
      return *known;
    }
    const double cost = model_.cost(key).cost;
    costs_.insert(words, cost);
    return cost;
  }

  /// Of a layer: every row use with every column use.
  double cost(const LayerOperators& operators) {
    double sum = 0.0;
    for (const AxisUse& row : operators.rows) {
      for (const AxisUse& col : operators.cols) {
        sum += static_cast<double>(row.count) * col.count * cost(operators.key(row, col));
      }
    }
    return sum;
  }

 private:
  const LatencyModel& model_;
  WordMap<double> costs_;
};

}  // namespace patchnas
