#pragma once

// Functions of single values, and maps whose channels are multiplied by numbers of their own, as in
// squeeze-and-excitation (activation_view.h); of int8 networks in steps from the zero point, as in
// integer_kernel.h. Every function works in the calling thread.

#include <array>
#include <cstdint>

#include "arch/network.h"
#include "arch/quantized_network.h"
#include "supernet/kernels/activation_view.h"

namespace patchnas::kernels {

/// Whether it is one of those below.
constexpr bool is_trained(ValueFunction function) {
  return function == ValueFunction::kHardSwish || function == ValueFunction::kLogistic;
}

/// What each of the 256 stored values of an int8 network becomes, both in steps.
struct StepTable {
  std::array<float, 256> values{};
  std::int32_t input_zero_point = 0;
};

/// @param output [pixels, channels]
void apply_function(ValueFunction function, const ActivationView& input, std::int64_t pixels,
                    float* output);
void look_up_steps(const StepTable& table, const ActivationView& input, std::int64_t pixels,
                   float* output);
/// The way back of both.
/// @param step what 1 of the input is as a real number
/// @param gradient of the output, [pixels, channels]
void function_gradient(ValueFunction function, const ActivationView& input, float step,
                       const float* gradient, std::int64_t pixels, const GradientSink& sink);

/// output = map * factors, of one image. @param factors one pixel
void scale_pixels(const ActivationView& map, const ActivationView& factors, std::int64_t pixels,
                  float* output);
/// The same in steps.
void scale_steps(const ActivationView& map, const ActivationView& factors, const Requantisation& by,
                 std::int64_t pixels, float* output);
/// The way back to the map, and to the factors.
/// @param step what 1 of the other operand is as a real number
void scaled_map_gradient(const ActivationView& factors, float step, const float* gradient,
                         std::int64_t pixels, const GradientSink& sink);
void scaling_factor_gradient(const ActivationView& map, float step, const float* gradient,
                             std::int64_t pixels, const GradientSink& sink);

}  // namespace patchnas::kernels
