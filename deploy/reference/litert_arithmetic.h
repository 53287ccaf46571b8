#pragma once

// What LiteRT's default CPU kernels (XNNPACK) compute where TensorFlow Lite Micro's requantise in
// integers: convolutions and means multiply their accumulators, and multiplications their products,
// by single-precision scales (the fp32 variants of its qs8 kernels), additions round once (its qs8
// vadd). Poolings, and functions of single values, are the same in both.
// scripts/check_litert shows that this is what the runtime does, bit for bit.

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "arch/base/error.h"
#include "arch/quantized_network.h"

namespace patchnas {

/// Whose arithmetic the integer reference uses. Everything that PatchNAS exports computes
/// kTfliteMicro's or, where a package is compiled with PATCHNAS_SINGLE_ROUNDING, that of TensorFlow
/// Lite Micro built with TFLITE_SINGLE_ROUNDING; kLiteRt is there to compare exported files with
/// Google's runtime. Poolings and softmax are the same in all.
enum class Arithmetic { kTfliteMicro, kTfliteMicroSingleRounding, kLiteRt };

/// round(accumulator * input_scale * weight_scale / output_scale), every operation and the rounding
/// (ties to even) in single precision. The result is at most a few steps outside int8.
inline std::int32_t litert_requantise(std::int32_t accumulator, float input_scale,
                                      float weight_scale, float output_scale) {
  const float scaled =
      static_cast<float>(accumulator) * (input_scale * weight_scale / output_scale);
  return static_cast<std::int32_t>(std::lrint(std::clamp(scaled, -512.0F, 512.0F)));
}

/// round(sum * (input_scale / output_scale) * (1 / count)), as above.
inline std::int32_t litert_mean(std::int32_t sum, int count, float input_scale,
                                float output_scale) {
  const float factor = input_scale / output_scale * (1.0F / static_cast<float>(count));
  const float scaled = static_cast<float>(sum) * factor;
  return static_cast<std::int32_t>(std::lrint(std::clamp(scaled, -512.0F, 512.0F)));
}

/// a + b in the steps of the output, rounded once, ties upwards: both inputs times 21-bit factors.
class LiteRtAdd {
 public:
  LiteRtAdd(const TensorQuantisation& a, const TensorQuantisation& b, float output_scale) {
    const float scale_a = a.scale / output_scale;
    const float scale_b = b.scale / output_scale;
    shift_ = 20 - std::ilogb(std::max(scale_a, scale_b));
    if (shift_ < 1 || shift_ > 30) {
      throw InputError("LiteRT does not add when the inputs' scales are so far from the output's");
    }
    factor_a_ = static_cast<std::int32_t>(std::lrint(std::ldexp(scale_a, shift_)));
    factor_b_ = static_cast<std::int32_t>(std::lrint(std::ldexp(scale_b, shift_)));
    bias_ = (1 << (shift_ - 1)) - factor_a_ * a.zero_point - factor_b_ * b.zero_point;
  }

  [[nodiscard]] std::int32_t operator()(std::int8_t a, std::int8_t b) const {
    return (bias_ + a * factor_a_ + b * factor_b_) >> shift_;
  }

 private:
  int shift_ = 0;
  std::int32_t factor_a_ = 0;
  std::int32_t factor_b_ = 0;
  std::int32_t bias_ = 0;
};

}  // namespace patchnas
