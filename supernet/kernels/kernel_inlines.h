#pragma once

// Pieces that several fused kernels inline: reading through a view, and the ends of gradient paths.
// Each is made once for the channels of a vector and then used for many pixels.

#include "supernet/kernels/activation_view.h"
#include "supernet/kernels/simd.h"

namespace patchnas::kernels::inline PATCHNAS_LEVEL {

template <int Lanes>
PATCHNAS_INLINE simd::Vec<Lanes> load_or(const float* values, int channel, float otherwise) {
  return values == nullptr ? simd::splat<Lanes>(otherwise) : simd::load<Lanes>(values + channel);
}

/// NaN stays NaN.
template <int Lanes>
PATCHNAS_INLINE simd::Vec<Lanes> clamp(simd::Vec<Lanes> v, const simd::Vec<Lanes>& low,
                                       const simd::Vec<Lanes>& high) {
  v = low > v ? low : v;
  return high < v ? high : v;
}

/// Reads the channels of a vector from a tensor.
template <int Lanes>
struct ViewReader {
  const float* raw;
  simd::Vec<Lanes> scale;
  simd::Vec<Lanes> shift;
  simd::Vec<Lanes> low;
  simd::Vec<Lanes> high;

  PATCHNAS_INLINE ViewReader(const ActivationView& view, int channel)
      : raw(view.raw + channel),
        scale(load_or<Lanes>(view.scale, channel, 1.0F)),
        shift(load_or<Lanes>(view.shift, channel, 0.0F)),
        low(simd::splat<Lanes>(view.low)),
        high(simd::splat<Lanes>(view.high)) {}

  PATCHNAS_INLINE void prefetch(std::int64_t offset) const { __builtin_prefetch(raw + offset); }
  /// `offset` = pixel * channels.
  PATCHNAS_INLINE simd::Vec<Lanes> read(std::int64_t offset) const {
    return clamp<Lanes>(simd::load<Lanes>(raw + offset) * scale + shift, low, high);
  }
};

/// Reads the channels of a vector from a raw output's gradient.
template <int Lanes>
struct NormGradientReader {
  const float* gradient;
  const float* raw;
  simd::Vec<Lanes> a;
  simd::Vec<Lanes> b;
  simd::Vec<Lanes> c;

  PATCHNAS_INLINE NormGradientReader(const NormGradient& norm, int channel)
      : gradient(norm.gradient + channel),
        raw((norm.a == nullptr ? norm.gradient : norm.raw) + channel),
        a(load_or<Lanes>(norm.a, channel, 1.0F)),
        b(load_or<Lanes>(norm.b, channel, 0.0F)),
        c(load_or<Lanes>(norm.c, channel, 0.0F)) {}

  PATCHNAS_INLINE void prefetch(std::int64_t offset) const {
    __builtin_prefetch(gradient + offset);
    __builtin_prefetch(raw + offset);
  }
  PATCHNAS_INLINE simd::Vec<Lanes> read(std::int64_t offset) const {
    return a * simd::load<Lanes>(gradient + offset) + (b * simd::load<Lanes>(raw + offset) + c);
  }
};

/// Calls step(pixel, slot) for every pixel, slot in [0, 4): sums that are added in turn do not wait
/// for each other.
template <typename Step>
PATCHNAS_INLINE void for_pixels(std::int64_t pixels, const Step& step) {
  std::int64_t pixel = 0;
  for (; pixel + 4 <= pixels; pixel += 4) {
    for (int i = 0; i < 4; ++i) {
      step(pixel + i, i);
    }
  }
  for (; pixel < pixels; ++pixel) {
    step(pixel, 0);
  }
}

/// How far ahead vectors of pixels are fetched that lie further apart than processors foresee.
inline constexpr int kPrefetchPixels = 32;

/// Two sums per channel over pixels.
template <int Lanes>
struct VectorSums {
  simd::Vec<Lanes> sum[4] = {};
  simd::Vec<Lanes> product[4] = {};

  PATCHNAS_INLINE void add(int slot, const simd::Vec<Lanes>& a, const simd::Vec<Lanes>& b) {
    sum[slot] += a;
    product[slot] += a * b;
  }
  PATCHNAS_INLINE void add_to(const ChannelSums& sums, int channel) const {
    simd::add_to<Lanes>(sums.sum + channel, (sum[0] + sum[1]) + (sum[2] + sum[3]));
    simd::add_to<Lanes>(sums.product + channel,
                        (product[0] + product[1]) + (product[2] + product[3]));
  }
};

/// Finishes and stores the gradient of `pixels` neighbouring pixels of an input. `value(pixel)` is
/// what this reader of the input contributes.
template <int Lanes, typename Value>
PATCHNAS_INLINE void sink_pixels(const GradientSink& sink, int channel, std::int64_t pixels,
                                 const Value& value) {
  using Vec = simd::Vec<Lanes>;
  float* const gradient = sink.gradient + channel;
  const std::int64_t channels = sink.view.channels;
  const bool accumulate = sink.accumulate;
  const auto contribution = [&](std::int64_t pixel) PATCHNAS_INLINE_LAMBDA {
    return accumulate ? value(pixel) + simd::load<Lanes>(gradient + pixel * channels)
                      : value(pixel);
  };
  if (!sink.last_reader || sink.mean == nullptr) {
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      simd::store<Lanes>(gradient + pixel * channels, contribution(pixel));
    }
    return;
  }
  const ViewReader<Lanes> input(sink.view, channel);
  const Vec mean = load_or<Lanes>(sink.mean, channel, 0.0F);
  VectorSums<Lanes> sums;
  for_pixels(pixels, [&](std::int64_t pixel, int slot) PATCHNAS_INLINE_LAMBDA {
    const Vec raw = simd::load<Lanes>(input.raw + pixel * channels);
    const Vec read = raw * input.scale + input.shift;
    Vec v = contribution(pixel);
    v = (read > input.low) & (read < input.high) ? v : Vec{};
    sums.add(slot, v, raw - mean);
    simd::store<Lanes>(gradient + pixel * channels, v);
  });
  sums.add_to(sink.sums, channel);
}

}  // namespace patchnas::kernels::inline PATCHNAS_LEVEL
