#include "supernet/kernels/integer_kernel.h"

#include "arch/fixed_point.h"
#include "supernet/kernels/kernel_inlines.h"

namespace patchnas::kernels {
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

PATCHNAS_INLINE void requantise_pixels_body(const ChannelRequantisation& by, std::int64_t pixels,
                                            int channels, float* values) {
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

PATCHNAS_INLINE void add_steps_body(const ActivationView& a, const ActivationView& b,
                                    const AddArithmetic& arithmetic, std::int64_t pixels,
                                    float* sum) {
  const auto scaled = [&](std::size_t input, float value) PATCHNAS_INLINE_LAMBDA {
    return requantise(static_cast<std::int32_t>(value) * (1 << kAddLeftShift),
                      arithmetic.inputs[input]);
  };
  simd::for_vectors(a.channels, [&](auto lanes, int channel) PATCHNAS_INLINE_LAMBDA {
    constexpr int kLanes = decltype(lanes)::value;
    const ViewReader<kLanes> left(a, channel);
    const ViewReader<kLanes> right(b, channel);
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      const std::int64_t offset = pixel * a.channels;
      const simd::Vec<kLanes> x = left.read(offset);
      const simd::Vec<kLanes> y = right.read(offset);
      float* const out = sum + offset + channel;
      for (int lane = 0; lane < kLanes; ++lane) {
        out[lane] = static_cast<float>(
            requantise(scaled(0, x[lane]) + scaled(1, y[lane]), arithmetic.output));
      }
    }
  });
}

PATCHNAS_INLINE void mean_steps_body(const ActivationView& input, std::int64_t pixels,
                                     std::int32_t zero_point, float* mean) {
  const auto count = static_cast<std::int32_t>(pixels);
  simd::for_vectors(input.channels, [&](auto lanes, int channel) PATCHNAS_INLINE_LAMBDA {
    constexpr int kLanes = decltype(lanes)::value;
    const ViewReader<kLanes> reader(input, channel);
    std::int32_t sums[kLanes] = {};
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      const simd::Vec<kLanes> v = reader.read(pixel * input.channels);
      for (int lane = 0; lane < kLanes; ++lane) {
        sums[lane] += static_cast<std::int32_t>(v[lane]);
      }
    }
    for (int lane = 0; lane < kLanes; ++lane) {
      const std::int32_t stored = sums[lane] + count * zero_point;
      const std::int32_t rounded = (stored > 0 ? stored + count / 2 : stored - count / 2) / count;
      mean[channel + lane] = static_cast<float>(rounded - zero_point);
    }
  });
}

}  // namespace

PATCHNAS_KERNEL(requantise_pixels,
                (const ChannelRequantisation& by, std::int64_t pixels, int channels, float* values),
                (by, pixels, channels, values))
PATCHNAS_KERNEL(add_steps,
                (const ActivationView& a, const ActivationView& b, const AddArithmetic& arithmetic,
                 std::int64_t pixels, float* sum),
                (a, b, arithmetic, pixels, sum))
PATCHNAS_KERNEL(mean_steps,
                (const ActivationView& input, std::int64_t pixels, std::int32_t zero_point,
                 float* mean),
                (input, pixels, zero_point, mean))

}  // namespace patchnas::kernels
