#pragma once

// Which kernel of runtime/ executes a layer. The C emitter, the flash model and the latency model
// agree through this one place.

#include <string_view>

#include "arch/network.h"

namespace patchnas {

enum class KernelFunction {
  kConvolve,
  kPointwise,
  kDepthwise,
  kDepthwiseInPlace,
  kAdd,
  kAveragePool,
  kMaxPool,
  kFullyConnected,
  kSoftmax,
  kMean
};
inline constexpr KernelFunction kKernelFunctions[] = {
    KernelFunction::kConvolve,  KernelFunction::kPointwise,
    KernelFunction::kDepthwise, KernelFunction::kDepthwiseInPlace,
    KernelFunction::kAdd,       KernelFunction::kAveragePool,
    KernelFunction::kMaxPool,   KernelFunction::kFullyConnected,
    KernelFunction::kSoftmax,   KernelFunction::kMean};

/// Its name in C: "patchnas_convolve", …
std::string_view to_string(KernelFunction kernel);

/// @param in_place whether the layer writes over its input, for which depthwise convolutions have a
/// kernel of their own
KernelFunction kernel_function(const Layer& layer, bool in_place);

}  // namespace patchnas
