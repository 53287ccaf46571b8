#include "arch/operator_table.h"

#include <algorithm>

namespace patchnas {
namespace {

// Rows are found by their enumerator's number.
constexpr bool rows_are_in_order() {
  for (std::size_t i = 0; i < kOperators.size(); ++i) {
    if (static_cast<std::size_t>(kOperators[i].kind) != i) {
      return false;
    }
  }
  for (std::size_t i = 0; i < kKernels.size(); ++i) {
    if (static_cast<std::size_t>(kKernels[i].function) != i) {
      return false;
    }
  }
  for (std::size_t i = 0; i < kKernelConstants.size(); ++i) {
    if (static_cast<std::size_t>(kKernelConstants[i].constant) != i) {
      return false;
    }
  }
  return true;
}
static_assert(rows_are_in_order());

}  // namespace

KernelFunction kernel_function(const Layer& layer) {
  if (layer.kind == LayerKind::kConv2d && layer.kernel == Kernel{}) {
    return KernelFunction::kPointwise;  // with stride 1 and no padding it is a matrix product
  }
  return std::find_if(kKernels.begin(), kKernels.end(),
                      [&](const KernelFacts& facts) { return facts.kind == layer.kind; })
      ->function;
}

}  // namespace patchnas
