#include <algorithm>
#include <limits>
#include <vector>

#include "deploy/reference/reference_kernels.h"

namespace patchnas {
namespace {

// Folds every pixel under the window of each output pixel into one accumulator per channel;
// `finish` gets the accumulator and the number of pixels.
template <typename Fold, typename Finish>
void pool(const LayerContext& context, const InputWindow& input, const OutputWindow& output,
          const Rect& computed, std::int32_t initial, Fold fold, Finish finish) {
  const Kernel& kernel = context.layer.kernel;
  const ActivationClamp& clamp = context.quantised.clamp;
  const auto channels = static_cast<std::size_t>(output.shape.channels);
  std::vector<std::int32_t> accumulators(channels);
  for (int row = computed.rows.begin; row < computed.rows.end; ++row) {
    const int top = row * kernel.stride_h - kernel.pad_top;
    const Interval taps_h = taps_inside(top, kernel.height, input.shape.height);
    for (int col = computed.cols.begin; col < computed.cols.end; ++col) {
      const int left = col * kernel.stride_w - kernel.pad_left;
      const Interval taps_w = taps_inside(left, kernel.width, input.shape.width);
      std::fill(accumulators.begin(), accumulators.end(), initial);
      for (int y = taps_h.begin; y < taps_h.end; ++y) {
        for (int x = taps_w.begin; x < taps_w.end; ++x) {
          const std::int8_t* const pixel = input.pixel(top + y, left + x);
          for (std::size_t c = 0; c < channels; ++c) {
            accumulators[c] = fold(accumulators[c], std::int32_t{pixel[c]});
          }
        }
      }
      const int count = taps_h.size() * taps_w.size();
      std::int8_t* const out = output.pixel(row, col);
      for (std::size_t c = 0; c < channels; ++c) {
        out[c] = static_cast<std::int8_t>(
            std::clamp(finish(accumulators[c], count), clamp.min, clamp.max));
      }
    }
  }
}

std::int32_t sum_of(std::int32_t sum, std::int32_t value) { return sum + value; }

// Rounds to nearest, ties away from zero; pixels outside the image do not count.
std::int32_t average(std::int32_t sum, int count) {
  return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

std::int32_t mean_of_sum(const LayerContext& context, std::int32_t sum, int count) {
  const TensorQuantisation& from = context.inputs[0];
  const TensorQuantisation& to = context.output;
  const std::int32_t difference = sum - count * from.zero_point;
  const std::int32_t scaled =
      context.arithmetic == Arithmetic::kLiteRt
          ? litert_mean(difference, context.quantised.is_sum ? 1 : count, from.scale, to.scale)
          : requantise(difference, context.quantised.mean, context.arithmetic);
  return scaled + to.zero_point;
}

}  // namespace

void pool_average(const LayerContext& context, const InputWindow& input, const OutputWindow& output,
                  const Rect& computed) {
  pool(context, input, output, computed, 0, sum_of, average);
}

void mean(const LayerContext& context, const InputWindow& input, const OutputWindow& output,
          const Rect& computed) {
  pool(context, input, output, computed, 0, sum_of,
       [&](std::int32_t sum, int count) { return mean_of_sum(context, sum, count); });
}

void add_pixels(const InputWindow& input, const Rect& pixels, std::span<std::int32_t> sums) {
  for (int row = pixels.rows.begin; row < pixels.rows.end; ++row) {
    for (int col = pixels.cols.begin; col < pixels.cols.end; ++col) {
      const std::int8_t* const pixel = input.pixel(row, col);
      for (std::size_t c = 0; c < sums.size(); ++c) {
        sums[c] += pixel[c];
      }
    }
  }
}

void finish_pooling(const LayerContext& context, std::span<const std::int32_t> sums, int count,
                    const OutputWindow& output) {
  const ActivationClamp& clamp = context.quantised.clamp;
  for (std::size_t c = 0; c < sums.size(); ++c) {
    const std::int32_t value = context.layer.kind == LayerKind::kMean
                                   ? mean_of_sum(context, sums[c], count)
                                   : average(sums[c], count);
    output.bytes[c] = static_cast<std::int8_t>(std::clamp(value, clamp.min, clamp.max));
  }
}

void pool_max(const LayerContext& context, const InputWindow& input, const OutputWindow& output,
              const Rect& computed) {
  pool(
      context, input, output, computed, std::numeric_limits<std::int8_t>::min(),
      [](std::int32_t largest, std::int32_t value) { return std::max(largest, value); },
      [](std::int32_t largest, int) { return largest; });
}

}  // namespace patchnas
