#include "supernet/integer_kernel.h"

#include "arch/fixed_point.h"
#include "supernet/kernel_inlines.h"

namespace patchnas::fused {
namespace {

// rounding_shift_right() without a case for exponents beyond 31, so that the compiler makes vectors
// of it.
PATCHNAS_INLINE std::int32_t shift_right(std::int32_t x, std::int32_t exponent) {
  const auto mask = static_cast<std::int32_t>((std::uint32_t{1} << exponent) - 1U);
  const std::int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + ((x & mask) > threshold ? 1 : 0);
}

PATCHNAS_INLINE std::int32_t requantised(std::int32_t x, std::int32_t multiplier, std::int32_t left,
                                         std::int32_t right) {
  return shift_right(doubling_high_multiply(wrapping_shift_left(x, left), multiplier), right);
}

}  // namespace

PATCHNAS_CLONES
void requantise_pixels(const ChannelRequantisation& by, std::int64_t pixels, int channels,
                       float* values) {
  const std::int32_t* const bias = by.biases.data();
  const std::int32_t* const multiplier = by.multipliers.data();
  const std::int32_t* const left = by.left_shifts.data();
  const std::int32_t* const right = by.right_shifts.data();
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
    float* const row = values + pixel * channels;
#pragma GCC ivdep
    for (int c = 0; c < channels; ++c) {
      const auto sum = static_cast<std::int32_t>(row[c]);
      row[c] = static_cast<float>(
          requantised(wrapping_add(sum, bias[c]), multiplier[c], left[c], right[c]));
    }
  }
}

PATCHNAS_CLONES
void add_steps(const ActivationView& a, const ActivationView& b, const AddArithmetic& arithmetic,
               std::int64_t pixels, float* sum) {
  const auto scaled = [&](std::size_t input, float value) __attribute__((always_inline)) {
    return requantise(static_cast<std::int32_t>(value) * (1 << kAddLeftShift),
                      arithmetic.inputs[input]);
  };
  for (int channel = 0; channel < a.channels; channel += kLanes) {
    const ViewReader left(a, channel);
    const ViewReader right(b, channel);
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      const std::int64_t offset = pixel * a.channels;
      const Vec x = left.read(offset);
      const Vec y = right.read(offset);
      float* const out = sum + offset + channel;
      for (int lane = 0; lane < kLanes; ++lane) {
        out[lane] = static_cast<float>(
            requantise(scaled(0, x[lane]) + scaled(1, y[lane]), arithmetic.output));
      }
    }
  }
}

PATCHNAS_CLONES
void mean_steps(const ActivationView& input, std::int64_t pixels, std::int32_t zero_point,
                float* mean) {
  const auto count = static_cast<std::int32_t>(pixels);
  for (int channel = 0; channel < input.channels; channel += kLanes) {
    const ViewReader reader(input, channel);
    std::int32_t sums[kLanes] = {};
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      const Vec v = reader.read(pixel * input.channels);
      for (int lane = 0; lane < kLanes; ++lane) {
        sums[lane] += static_cast<std::int32_t>(v[lane]);
      }
    }
    for (int lane = 0; lane < kLanes; ++lane) {
      const std::int32_t stored = sums[lane] + count * zero_point;
      const std::int32_t rounded = (stored > 0 ? stored + count / 2 : stored - count / 2) / count;
      mean[channel + lane] = static_cast<float>(rounded - zero_point);
    }
  }
}

}  // namespace patchnas::fused
