#pragma once

// Pieces that several fused kernels inline: reading through a view, and the ends of gradient paths.
// Each is made once for eight channels and then used for many pixels.

#include "supernet/activation_view.h"
#include "supernet/simd.h"

namespace patchnas::fused {

using simd::kLanes;
using simd::Vec;

PATCHNAS_INLINE Vec load_or(const float* values, int channel, float otherwise) {
  return values == nullptr ? simd::splat(otherwise) : simd::load(values + channel);
}

/// Reads eight channels of a tensor.
struct ViewReader {
  const float* raw;
  Vec scale;
  Vec shift;
  Vec low;
  Vec high;

  PATCHNAS_INLINE ViewReader(const ActivationView& view, int channel)
      : raw(view.raw + channel),
        scale(load_or(view.scale, channel, 1.0F)),
        shift(load_or(view.shift, channel, 0.0F)),
        low(simd::splat(view.low)),
        high(simd::splat(view.high)) {}

  /// `offset` = pixel * channels. NaN stays NaN.
  PATCHNAS_INLINE Vec read(std::int64_t offset) const {
    Vec v = simd::load(raw + offset) * scale + shift;
    v = low > v ? low : v;
    return high < v ? high : v;
  }
};

/// Reads eight channels of a raw output's gradient.
struct NormGradientReader {
  const float* gradient;
  const float* raw;
  Vec a;
  Vec b;
  Vec c;

  PATCHNAS_INLINE NormGradientReader(const NormGradient& norm, int channel)
      : gradient(norm.gradient + channel),
        raw((norm.a == nullptr ? norm.gradient : norm.raw) + channel),
        a(load_or(norm.a, channel, 1.0F)),
        b(load_or(norm.b, channel, 0.0F)),
        c(load_or(norm.c, channel, 0.0F)) {}

  PATCHNAS_INLINE Vec read(std::int64_t offset) const {
    return a * simd::load(gradient + offset) + (b * simd::load(raw + offset) + c);
  }
};

PATCHNAS_INLINE void add_to(double* target, const Vec& v) {
  for (int lane = 0; lane < kLanes; ++lane) {
    target[lane] += v[lane];
  }
}

/// Finishes and stores eight channels of an input's gradient.
class GradientWriter {
 public:
  PATCHNAS_INLINE GradientWriter(const GradientSink& sink, int channel)
      : gradient_(sink.gradient + channel),
        input_(sink.view, channel),
        mean_(load_or(sink.mean, channel, 0.0F)),
        sums_(sink.sums),
        channel_(channel),
        accumulate_(sink.accumulate),
        normed_(sink.last_reader && sink.mean != nullptr) {}

  /// `v` is what this reader of the input contributes; `slot` in [0, 4): sums that are added in
  /// turn do not wait for each other.
  PATCHNAS_INLINE void write(std::int64_t offset, int slot, Vec v) {
    if (accumulate_) {
      v += simd::load(gradient_ + offset);
    }
    if (normed_) {
      const Vec raw = simd::load(input_.raw + offset);
      const Vec value = raw * input_.scale + input_.shift;
      v = (value > input_.low) & (value < input_.high) ? v : Vec{};
      sum_[slot] += v;
      product_[slot] += v * (raw - mean_);
    }
    simd::store(gradient_ + offset, v);
  }

  /// Adds the sums to the sink's.
  PATCHNAS_INLINE void finish() const {
    if (normed_) {
      add_to(sums_.sum + channel_, (sum_[0] + sum_[1]) + (sum_[2] + sum_[3]));
      add_to(sums_.product + channel_, (product_[0] + product_[1]) + (product_[2] + product_[3]));
    }
  }

 private:
  float* gradient_;
  ViewReader input_;
  Vec mean_;
  Vec sum_[4] = {};
  Vec product_[4] = {};
  ChannelSums sums_;
  int channel_;
  bool accumulate_;
  bool normed_;
};

/// Calls step(pixel, slot) for every pixel, slot in [0, 4).
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

}  // namespace patchnas::fused
