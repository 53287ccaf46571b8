#pragma once

// What lies between the sums of products of an int8 network (arch/fixed_point.h), on floats that
// hold integers: activations are steps from the zero point, sums are exact below 2^24. Results are
// not clamped yet: their readers do that (activation_view.h). Every function works in the calling
// thread.

#include <cstdint>
#include <vector>

#include "arch/quantized_network.h"
#include "supernet/kernels/activation_view.h"

namespace patchnas::kernels {

/// From sums of products to steps of the output; one entry per padded channel.
struct ChannelRequantisation {
  std::vector<std::int32_t> biases;
  std::vector<std::int32_t> multipliers;
  std::vector<std::int32_t> left_shifts;
  std::vector<std::int32_t> right_shifts;  ///< at most 31
};

/// @param values [pixels, channels], replaced by what they become
void requantise_pixels(const ChannelRequantisation& by, std::int64_t pixels, int channels,
                       float* values);

/// @param sum [pixels, channels]
void add_steps(const ActivationView& a, const ActivationView& b, const AddArithmetic& arithmetic,
               std::int64_t pixels, float* sum);

/// Mean over the pixels of one image, rounded as stored values: half a step goes away from zero.
/// @param mean [channels]
void mean_steps(const ActivationView& input, std::int64_t pixels, std::int32_t zero_point,
                float* mean);

}  // namespace patchnas::kernels
