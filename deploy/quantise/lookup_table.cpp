#include "deploy/quantise/lookup_table.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "arch/base/error.h"
#include "arch/fixed_exponential.h"
#include "arch/fixed_point.h"
#include "arch/fixed_square_root.h"
#include "deploy/quantise/requantisation.h"

namespace patchnas {
namespace {

constexpr int kInputBits = 4;  // integer bits of what logistic and tanh are computed from

void require(bool condition, const char* what) {
  if (!condition) {
    throw InputError(what);
  }
}

std::int32_t clamp_to_int8(std::int32_t value) { return std::clamp(value, -128, 127); }

Requantisation ratio(double factor) {
  require(std::isfinite(factor) && std::abs(factor) < 0x1p20,
          "the input's scale is too large for the output's");
  return quantise_multiplier(factor);
}

// ----- hard swish, in 16 bits as TensorFlow Lite's HardSwish<int8> defines it

using Half = std::int16_t;

Half saturated(std::int64_t value) {
  return static_cast<Half>(std::clamp<std::int64_t>(value, -32768, 32767));
}

// round(2 * a * b / 2^16), ties upwards, and the same cut off towards 0.
Half doubling_high(Half a, Half b) {
  const std::int32_t product = std::int32_t{a} * b;
  return saturated((product + (product >= 0 ? 1 << 14 : 1 - (1 << 14))) / (1 << 15));
}
Half doubling_high_cut_off(Half a, Half b) { return saturated(std::int32_t{a} * b / (1 << 15)); }

struct HalfScale {
  Half multiplier = 0;
  int shift = 0;
};

HalfScale half_scale(double factor) {
  const Requantisation scale = ratio(factor);
  constexpr std::int32_t kHalf = 1 << 15;
  const std::int32_t most = std::numeric_limits<std::int32_t>::max() - kHalf;
  return {.multiplier = scale.multiplier > most
                            ? Half{32767}
                            : static_cast<Half>((scale.multiplier + kHalf) >> 16),
          .shift = scale.shift};
}

class HardSwish {
 public:
  HardSwish(float input_scale, float output_scale) {
    const float fine_scale = (1.0F / 128.0F) * input_scale;
    output_ = half_scale(double{fine_scale / output_scale});
    relu_ = half_scale(double{fine_scale / (3.0F / 32768.0F)});
    require(output_.shift <= 0, "the output's scale is too small for a hard swish of its input");
    require(output_.shift >= -31 && relu_.shift >= -31 && relu_.shift <= 31,
            "the input's scale is out of range");
  }

  [[nodiscard]] std::int32_t operator()(std::int32_t steps) const {
    const auto fine = static_cast<Half>(steps * (1 << 7));
    const Half on_output_scale = doubling_high(fine, output_.multiplier);
    Half relu = fine;
    if (relu_.shift > 0) {
      relu = saturated(std::int64_t{relu} << (relu_.shift - 1));
    }
    relu = doubling_high(relu, relu_.multiplier);
    if (relu_.shift > 0) {
      relu = saturated(std::int64_t{relu} * 2);
    } else {
      relu = static_cast<Half>(rounding_shift_right(relu, -relu_.shift));
    }
    relu = static_cast<Half>((relu + (1 << 15)) >> 1);
    return rounding_shift_right(doubling_high_cut_off(relu, on_output_scale), -output_.shift);
  }

 private:
  HalfScale output_, relu_;
};

// ----- all of them

class TableMaker {
 public:
  TableMaker(const TensorQuantisation& input, const TensorQuantisation& output)
      : input_(input), output_(output) {}

  [[nodiscard]] LookupTables make(ValueFunction function, float slope) const {
    switch (function) {
      case ValueFunction::kRequantise:
        return scaled(ratio(double{input_.scale} / double{output_.scale}), -128);
      case ValueFunction::kRelu:
        return scaled(ratio(double{input_.scale / output_.scale}), output_.zero_point);
      case ValueFunction::kRelu6:
        return relu6();
      case ValueFunction::kLeakyRelu:
        return leaky_relu(slope);
      case ValueFunction::kLogistic:
      case ValueFunction::kTanh:
        return of_exponentials(function);
      case ValueFunction::kHardSwish: {
        const HardSwish hard_swish(input_.scale, output_.scale);
        return of_each([&](std::int32_t steps, auto) {
          return static_cast<std::int16_t>(hard_swish(steps) + output_.zero_point);
        });
      }
      case ValueFunction::kAbs:
        return absolute();
      case ValueFunction::kElu:
        return elu();
      case ValueFunction::kRsqrt:
        return reciprocal_square_root();
      case ValueFunction::kTable:
        break;  // follows from no scales
    }
    return {};
  }

 private:
  // compute(steps from the input's zero point, a function that requantises) for every value.
  template <typename Compute>
  [[nodiscard]] LookupTables of_each(const Compute& compute) const {
    LookupTables tables;
    for (int value = -128; value <= 127; ++value) {
      const std::int32_t steps = value - input_.zero_point;
      const auto twice = [](std::int32_t x, const Requantisation& by) { return requantise(x, by); };
      const auto stored = [](std::int32_t result) {
        return static_cast<std::int8_t>(clamp_to_int8(result));
      };
      tables.twice.push_back(stored(compute(steps, twice)));
      tables.once.push_back(stored(compute(steps, requantise_rounding_once)));
    }
    return tables;
  }

  [[nodiscard]] LookupTables scaled(const Requantisation& scale, std::int32_t least) const {
    return of_each([&](std::int32_t steps, const auto& requantised) {
      return std::max(least, output_.zero_point + requantised(steps, scale));
    });
  }

  // Its kernel keeps the stored values.
  [[nodiscard]] LookupTables relu6() const {
    require(input_ == output_, "RELU6 must keep its input's scale and zero point");
    const std::int32_t six =
        clamp_to_int8(input_.zero_point +
                      static_cast<std::int32_t>(std::min(std::round(6.0F / input_.scale), 512.0F)));
    return of_each([&](std::int32_t steps, const auto&) {
      return std::clamp(steps + input_.zero_point, input_.zero_point, six);
    });
  }

  [[nodiscard]] LookupTables leaky_relu(float slope) const {
    const Requantisation above = ratio(double{input_.scale / output_.scale});
    Requantisation below = ratio(double{input_.scale * slope / output_.scale});
    const int sign = below.multiplier < 0 ? -1 : 1;
    below.multiplier *= sign;
    return of_each([&](std::int32_t steps, const auto& requantised) {
      return output_.zero_point +
             (steps >= 0 ? requantised(steps, above) : sign * requantised(steps, below));
    });
  }

  [[nodiscard]] LookupTables of_exponentials(ValueFunction function) const {
    const bool is_tanh = function == ValueFunction::kTanh;
    require(output_ == (is_tanh ? kTanhOutput : kSoftmaxOutput),
            is_tanh ? "TANH must have output scale 1/128 and zero point 0"
                    : "LOGISTIC must have output scale 1/256 and zero point -128");
    const Requantisation scale =
        quantise_multiplier(std::min(double{input_.scale} * (1 << (31 - kInputBits)), 0x1p30));
    const double largest = ((1 << kInputBits) - 1) * std::ldexp(1.0, 31 - kInputBits - scale.shift);
    const auto radius = static_cast<std::int32_t>(std::min(std::floor(largest), 512.0));
    const int shift = is_tanh ? 31 - 7 : 31 - 8;
    return of_each([&](std::int32_t steps, const auto& requantised) {
      if (steps <= -radius || steps >= radius) {
        return steps <= -radius ? -128 : 127;
      }
      const std::int32_t x = requantised(steps, scale);
      const std::int32_t y = is_tanh ? fixed_tanh(x, kInputBits) : fixed_logistic(x, kInputBits);
      return rounding_shift_right(y, shift) + (is_tanh ? 0 : -128);
    });
  }

  [[nodiscard]] LookupTables absolute() const {
    const Requantisation scale = ratio(double{input_.scale / output_.scale});
    return of_each([&](std::int32_t steps, const auto& requantised) {
      return output_.zero_point + requantised(std::abs(steps), scale);
    });
  }

  // Its preparation computes in single precision.
  [[nodiscard]] LookupTables elu() const {
    const float steps_of_one = 1.0F / output_.scale;
    return of_each([&](std::int32_t steps, const auto&) {
      const float x = input_.scale * static_cast<float>(steps);
      const float y = x < 0.0F ? std::exp(x) - 1.0F : x;
      const float rounded = std::clamp(std::round(y * steps_of_one), -512.0F, 512.0F);
      return output_.zero_point + static_cast<std::int32_t>(rounded);
    });
  }

  [[nodiscard]] LookupTables reciprocal_square_root() const {
    constexpr int kFraction = 20;  // bits of 1 / sqrt(steps) in between
    const double factor = 1.0 / double{std::sqrt(input_.scale) * output_.scale};
    require(factor >= 0x1p-11 && factor < 0x1p28,
            "the input's or the output's scale is out of range");
    Requantisation scale = quantise_multiplier(factor);
    scale.shift -= kFraction;
    return of_each([&](std::int32_t steps, const auto& requantised) {
      if (steps <= 0) {
        return 127;
      }
      Requantisation inverse = reciprocal_square_root_of(steps);
      inverse.shift += kFraction;
      return output_.zero_point + requantised(requantised(1, inverse), scale);
    });
  }

  const TensorQuantisation& input_;
  const TensorQuantisation& output_;
};

}  // namespace

LookupTables lookup_tables(ValueFunction function, const TensorQuantisation& input,
                           const TensorQuantisation& output, float slope) {
  return TableMaker(input, output).make(function, slope);
}

}  // namespace patchnas
