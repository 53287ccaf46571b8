#pragma once

// A network as a list of fused operations with packed weights, and how one of them runs forward.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "arch/network.h"
#include "supernet/kernels/activation_view.h"
#include "supernet/kernels/aligned_floats.h"
#include "supernet/kernels/depthwise_kernel.h"
#include "supernet/kernels/function_kernel.h"
#include "supernet/kernels/integer_kernel.h"

namespace patchnas::kernels {

/// The trained numbers of one layer in LibTorch's layouts (layer_tensors.h); empty where it has
/// none.
struct LayerValues {
  std::span<const float> weight;
  std::span<const float> bias;
  std::span<const float> gamma;
  std::span<const float> beta;
  std::span<const float> running_mean;
  std::span<const float> running_variance;
};

/// kPatches: a convolution of the image, as gathered patches times a matrix.
/// kScale: each channel of a map by a number of its own.
enum class Operation { kPatches, kPointwise, kDepthwise, kAdd, kMean, kFunction, kScale };

/// What an int8 layer (quantised_layers.h) computes besides its sums of products.
struct IntegerArithmetic {
  ChannelRequantisation requantisation;  ///< of layers with weights
  AddArithmetic add;                     ///< and of products
  StepTable table;                       ///< of functions
  std::int32_t zero_point = 0;           ///< of the output
  float input_step = 1.0F;   ///< what a step is in real numbers: the scale of the first input
  float second_step = 1.0F;  ///< the same of the second
  float output_step = 1.0F;
};

struct FusedLayer {
  Operation operation = Operation::kPointwise;
  int in_channels = 0;   ///< padded; of kPatches the floats of a patch
  int out_channels = 0;  ///< padded
  std::int64_t in_pixels = 0;
  std::int64_t out_pixels = 0;
  std::int64_t second_pixels = 0;  ///< of the second input
  bool has_norm = false;
  /// Without a norm, and not the last one: readers add the bias before the clamp.
  bool has_bias = false;
  ValueFunction function = ValueFunction::kHardSwish;  ///< kFunction only
  float low = 0.0F;  ///< clamp of the activation; of an int8 layer in steps from the zero point
  float high = 0.0F;
  DepthwiseShape depthwise;

  AlignedFloats weights;           ///< as its kernel wants them
  AlignedFloats backward_weights;  ///< for gradients: matrices transposed
  std::vector<float> bias;         ///< [out_channels]
  std::vector<float> gamma;
  std::vector<float> beta;

  std::optional<IntegerArithmetic> integers;  ///< absent: the layer computes with real numbers
};

/// Whether all of the network can run fused: a convolution of the image, then 1x1 and depthwise
/// convolutions with batch norm, residual adds, hard-swish, squeeze-and-excitation, global average
/// pooling and a classifier.
bool supported(const Network& network);

/// @param values one per layer; sizes as the network's
std::vector<FusedLayer> make_fused_layers(const Network& network,
                                          std::span<const LayerValues> values);

/// Gradient of packed weights ([in, out], or depthwise [c / 8][taps][8]) in LibTorch's layout.
std::vector<float> unpack_weight_gradient(const Network& network, int layer,
                                          const FusedLayer& fused, std::span<const float> packed);

/// Floats of scratch that any layer needs, forward or backward.
std::size_t scratch_size(std::span<const FusedLayer> layers);

/// What a layer works on: `count` images that lie one behind the other.
struct LayerRun {
  const float* images = nullptr;  ///< kPatches: [count, H, W, C]
  float* patches = nullptr;       ///< kPatches: [count * out_pixels, in_channels], filled in
  ActivationView a;               ///< other layers: the inputs
  ActivationView b;
  float* output = nullptr;  ///< [count * out_pixels, out_channels], raw
  ChannelSums sums;
  int count = 0;
};

void run_layer(const Network& network, int layer, const FusedLayer& fused, const LayerRun& run,
               float* scratch);

}  // namespace patchnas::kernels
