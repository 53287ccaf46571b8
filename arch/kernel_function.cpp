#include "arch/kernel_function.h"

#include <array>

namespace patchnas {

std::string_view to_string(KernelFunction kernel) {
  constexpr std::array<std::string_view, std::size(kKernelFunctions)> kNames = {
      "patchnas_convolve",  "patchnas_pointwise",
      "patchnas_depthwise", "patchnas_depthwise_in_place",
      "patchnas_add",       "patchnas_average_pool",
      "patchnas_max_pool",  "patchnas_fully_connected",
      "patchnas_softmax",   "patchnas_mean"};
  return kNames[static_cast<std::size_t>(kernel)];
}

KernelFunction kernel_function(const Layer& layer, bool in_place) {
  switch (layer.kind) {
    case LayerKind::kConv2d:  // 1x1 with stride 1 and no padding is a matrix product
      return layer.kernel == Kernel{} ? KernelFunction::kPointwise : KernelFunction::kConvolve;
    case LayerKind::kDepthwiseConv2d:
      return in_place ? KernelFunction::kDepthwiseInPlace : KernelFunction::kDepthwise;
    case LayerKind::kAdd:
      return KernelFunction::kAdd;
    case LayerKind::kAveragePool:
      return KernelFunction::kAveragePool;
    case LayerKind::kMaxPool:
      return KernelFunction::kMaxPool;
    case LayerKind::kFullyConnected:
      return KernelFunction::kFullyConnected;
    case LayerKind::kSoftmax:
      return KernelFunction::kSoftmax;
    case LayerKind::kMean:
      break;
  }
  return KernelFunction::kMean;
}

}  // namespace patchnas
