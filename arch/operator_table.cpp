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
  if (layer.kind == LayerKind::kInput) {
    return KernelFunction::kMove;
  }
  if (layer.kind == LayerKind::kConv2d) {
    if (layer.groups != 1 || layer.kernel.dilation_h != 1 || layer.kernel.dilation_w != 1) {
      return KernelFunction::kConvolveGroups;
    }
    // With stride 1 and no padding it is a matrix product.
    return layer.kernel == Kernel{} ? KernelFunction::kPointwise : KernelFunction::kConvolve;
  }
  const bool is_sum = layer.kind == LayerKind::kAdd && !has_constant_operand(layer);
  if (operator_facts(layer.kind).combines() && !is_sum) {
    return KernelFunction::kCombine;
  }
  return std::find_if(kKernels.begin(), kKernels.end(),
                      [&](const KernelFacts& facts) { return facts.kind == layer.kind; })
      ->function;
}

bool may_overwrite(const Layer& layer, int input) {
  if (layer.kind == LayerKind::kCopyChannels || layer.kind == LayerKind::kCopy) {
    return input == 1 || (layer.kind == LayerKind::kCopy && layer.inputs[1] == kNoTensor &&
                          keeps_bytes(layer.copy, layer.output.elements()));
  }
  if (layer.writes_part()) {
    return input == 1;
  }
  return operator_facts(layer.kind).in_place != InPlace::kNever &&
         (input == 0 || !layer.repeats_second);
}

}  // namespace patchnas
